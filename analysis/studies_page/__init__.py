"""The page of published studies: a chapter each, and what several data sets say together."""
