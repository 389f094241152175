"""The recorder: from the game's memory into the ring. Never loads grpc."""
