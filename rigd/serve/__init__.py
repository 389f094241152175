"""The server: from the ring to everyone who asks, over gRPC."""
