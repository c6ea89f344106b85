"""What runs beyond the data will show: several laws, shrunk to what families have in common, in one
distribution."""
