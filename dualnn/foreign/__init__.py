"""Objects of other libraries, of a framework or of Keras, known by their classes without importing these."""
