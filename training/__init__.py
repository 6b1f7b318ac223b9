"""Offline: train, measure and publish the networks. Nothing outside this package imports it."""
