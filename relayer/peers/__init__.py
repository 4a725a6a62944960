"""Relayer to relayer: the messages, reaching out, and being reached."""
