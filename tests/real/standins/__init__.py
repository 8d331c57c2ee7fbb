"""Loopback stand-ins for Google services that no registry offers; they refuse what the real ones refuse."""
