"""The Trio shell: sockets, nurseries, worker pool, HTTP."""
