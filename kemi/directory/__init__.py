"""What is provisioned: tables, files and the snapshot that the SIP workers read."""
