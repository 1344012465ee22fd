"""Commands about people: `erase`, after which nothing here says who somebody was."""
