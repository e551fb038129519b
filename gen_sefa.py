"""Editing directions of a StyleGAN network: ``python gen_sefa.py --network ffhq.pkl`` (see --help)."""

from sefa_plugin.start import gen_sefa

if __name__ == "__main__":
    gen_sefa()
