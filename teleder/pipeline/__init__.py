"""The jobs: exactly-once effects over queues that may lose or repeat messages."""
