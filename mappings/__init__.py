"""What an event source mapping is. Knows nothing about polling."""
