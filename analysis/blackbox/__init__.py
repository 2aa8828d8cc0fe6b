"""The audit of code that is not ours: any training step, changed from outside and watched."""
