"""Methods that find directions: SeFa, GANSpace, InterFaceGAN, chance."""
