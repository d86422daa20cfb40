"""The kinds of rules. Each module declares one as its KIND; kinds never import each other."""
