"""The method in miniature. So far: training and measuring the `nano` encoder."""
