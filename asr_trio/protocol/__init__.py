"""Bytes to messages and back, without I/O: the wire of the CPqD ASR WebSocket API 2.3."""
