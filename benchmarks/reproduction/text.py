"""Cells of tables."""


def marked(values, form=".3f"):
    """Format numbers, the least one in bold."""
    texts = [format(value, form) for value in values]
    return [
        f"**{t}**" if v == min(values) else t
        for t, v in zip(texts, values, strict=True)
    ]
