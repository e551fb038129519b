"""Does it work? The paper's experiments on any network: attribute scores of edited samples, and what they tell."""
