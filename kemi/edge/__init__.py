"""The SIP path: the only importer of KSR."""
