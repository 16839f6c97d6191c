"""Grammars from text to one model to decoder form, without I/O."""
