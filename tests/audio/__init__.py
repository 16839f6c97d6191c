"""Tests of asr_trio.audio."""
