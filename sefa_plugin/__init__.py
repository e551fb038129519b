"""SeFa editing directions for StyleGAN networks (placeholder until the API lands)."""
