"""Ways to turn signals into one feature vector per window; each is a module here and a YAML of the same name."""
