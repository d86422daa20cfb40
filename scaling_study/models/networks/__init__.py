"""The torch modules of families that build them."""
