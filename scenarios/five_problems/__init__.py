"""The experiment `five-problems`."""
