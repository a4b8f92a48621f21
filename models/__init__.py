"""What is learned or computed from data: classifiers, calibration, provider risk, trends."""
