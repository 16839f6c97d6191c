"""Audio in: containers, and the C front end that resamples, frames and finds speech."""
