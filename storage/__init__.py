"""What is remembered: tables, encryption, audit, and every read and write of them."""
