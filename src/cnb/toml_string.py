"""TOML's basic strings, for those who must not pay for a TOML library."""


def basic_string(value: str) -> str:
    """`value` in quotes, everything escaped that must be."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    text = "".join(c if c >= " " and c != "\x7f" else f"\\u{ord(c):04x}" for c in escaped)
    return f'"{text}"'
