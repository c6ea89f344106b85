"""Pages about results: one file with words, pictures, numbers, and the code to repeat them."""
