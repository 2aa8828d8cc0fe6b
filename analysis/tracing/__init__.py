"""One presentation told: why a synapse changed, and a trace for Perfetto."""
