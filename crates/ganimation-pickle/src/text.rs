//! The two text escapes of protocol 0.

/// Decodes Python 2's `repr` of a `str`: quotes around bytes with backslash escapes.
pub(crate) fn unquote(line: &[u8]) -> Option<Vec<u8>> {
    let line = line.trim_ascii();
    let (&quote, rest) = line.split_first()?;
    let (&last, inner) = rest.split_last()?;
    if quote != last || !matches!(quote, b'\'' | b'"') {
        return None;
    }
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner.iter();
    while let Some(&byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match *rest.next()? {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'x' => {
                let pair = [*rest.next()?, *rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&pair).ok()?, 16).ok()?
            }
            same @ (b'\\' | b'\'' | b'"') => same,
            _ => return None,
        });
    }
    Some(bytes)
}

/// Decodes Python's `raw-unicode-escape`: latin1 with `\uXXXX` and `\UXXXXXXXX`.
pub(crate) fn unescape(line: &[u8]) -> Option<String> {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((&byte, tail)) = rest.split_first() {
        let digits = match (byte, tail.first()) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            _ => {
                text.push(char::from(byte));
                rest = tail;
                continue;
            }
        };
        let hex = std::str::from_utf8(tail.get(1..=digits)?).ok()?;
        text.push(char::from_u32(u32::from_str_radix(hex, 16).ok()?)?);
        rest = tail.get(1 + digits..)?;
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_2_strings_are_unquoted() {
        assert_eq!(unquote(br"'a\x00\n\\\''").unwrap(), b"a\0\n\\'");
        assert_eq!(unquote(b"\"it's\"").unwrap(), b"it's");
        for bad in [&b"'"[..], b"", b"'a", b"'a\"", br"'\x4'", br"'\q'", br"'\'"] {
            assert_eq!(unquote(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn raw_unicode_escapes_are_decoded() {
        assert_eq!(unescape(b"caf\xe9 \\u005c \\U0001F600").unwrap(), "café \\ 😀");
        for bad in [&b"\\u12"[..], b"\\uzzzz", b"\\Uffffffff"] {
            assert_eq!(unescape(bad), None, "{bad:?}");
        }
    }
}
