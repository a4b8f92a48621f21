"""A stand-in for Slack on the loopback: its Web API and Socket Mode as a real server, with faults to switch on."""

from tests.slack_double.double import SlackDouble
from tests.slack_double.envelopes import Envelope
from tests.slack_double.workspace import Workspace

__all__ = ["Envelope", "SlackDouble", "Workspace"]
