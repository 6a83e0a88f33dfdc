"""Valid and invalid values for each indicator type: documentation values and published test vectors.

Network addresses are from RFC 5737, 3849, 5398 and 7042, and names from RFC 2606. Bitcoin addresses are from BIP 173
and BIP 350, or encode the bytes 0, 1, 2, …; Ethereum addresses are from EIP-55, Bitcoin Cash addresses from its
specification, Stellar addresses from SEP-23, and TON and Polkadot addresses from their documentation.
"""

from __future__ import annotations

import base64
from typing import NamedTuple

HEX = "0123456789abcdef"
MD5, SHA1, SHA256 = HEX * 2, HEX * 2 + HEX[:8], HEX * 4
ONION = "aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dyp3kead"
SSH = "SHA256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
SSH_MD5 = ":".join(f"{byte:02x}" for byte in range(16))
JARM = "2ad2ad0002ad2ad00042d42d00042d" + MD5
TLSH = "0123456789ABCDEF" * 4 + "012345"
P2WPKH = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
P2TR = "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0"
P2PKH, P2SH = "112D2adLM3UKy4Z4giRbReR6gjWuvHUqB", "31h38a54tFMrR8kzBnP2241MFD2EUHtGha"
XMR = "41d7ke5VQnR2BDNSgrTE9j3X8QQ5Bnbbs4s3SMTX7y416CxUJqrTLW97YsWGEBnhxH8tnYDcX85QRAEhaAzrTSrZ89rbBUS"
XMR_SUB = "82TG61jL1Cq2BDNSgrTE9j3X8QQ5Bnbbs4s3SMTX7y416CxUJqrTLW97YsWGEBnhxH8tnYDcX85QRAEhaAzrTSrZ8A56Ye5"
XMR_INTEGRATED = (
    "4BKnmStz23w2BDNSgrTE9j3X8QQ5Bnbbs4s3SMTX7y416CxUJqrTLW97YsWGEBnhxH8tnYDcX85QRAEhaAzrTSrZBacc8PBnpJh96ffwFj"
)
ETH = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
EVM = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"
LTC = "ltc1qqqqsyqcyq5rqwzqfpg9scrgwpugpzysn3s44dy"
BCH = "qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a"
XLM = "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ"
ATOM = "cosmos1qqqsyqcyq5rqwzqfpg9scrgwpugpzysnrk363e"
BNB = "bnb1qqqsyqcyq5rqwzqfpg9scrgwpugpzysnpjwksh"
SOL = "1thX6LZfHDZZKUs92febYZhYRcXddmzfzF2NvTkPNE"
DOT = "15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5"
TON_RAW = "0:ca6e321c7cce9ecedf0a8ca2492ec8592494aa5fb5ce0387dff96ef6af982a3e"
SOL_SIGNATURE = "1GMkH3brNXiNNs1tiFZHu4yZSRrzJwxi5wB9bHFtMinfCXNnR1adh8Vo8NTheK4evneedH4qmvjeqcBBNAefgS"
PHOTODNA = base64.b64encode(bytes(range(144))).decode()
PHOTODNA_HEX = bytes(range(144)).hex()
# A version 4 packet header only: it has the form of a key block, but does not contain a key.
PGP = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEZQAAABYJKwYBBAHaRw8B\n-----END PGP PUBLIC KEY BLOCK-----"
PGP_WITH_HEADERS = PGP.replace("\n\n", "\nVersion: Example 1\nComment: none\n\n").replace(
    "\n-----END", "\n=AAAA\n-----END"
)
PGP_PRIVATE = PGP.replace("mDME", "lDME")
YARA = 'rule example : tag {\n\tstrings:\n\t\t$a = "x"\n\tcondition:\n\t\t$a\n}'


class Cases(NamedTuple):
    """Accepted inputs with their normal form, and refused inputs."""

    valid: dict[str, str]
    invalid: tuple[str, ...]


# fmt: off
CASES: dict[str, Cases] = {
    "ipv4-addr": Cases(
        {
            "198.51.100.7": "198.51.100.7",
            " 198.51.100[.]7 ": "198.51.100.7",
            "198[.]51(.)100{.}7": "198.51.100.7",
            "203.0.113.0/24": "203.0.113.0/24",
            "203.0.113.9/32": "203.0.113.9",
        },
        ("198.51.100.07", "0306.51.100.7", "3325256711", "0xc6336407", "198.51.100", "198.51.100.256",
         "203.0.113.9/24", "203.0.113.0/255.255.255.0", "203.0.113.0/024", "203.0.113.0/33", "2001:db8::1",
         "example.org", "١٩٨.51.100.7"),
    ),
    "ipv6-addr": Cases(
        {
            "2001:DB8:0:0:0:0:0:7": "2001:db8::7",
            "2001:db8[:]:7": "2001:db8::7",
            "::ffff:c633:6407": "::ffff:198.51.100.7",
            "2001:db8::/32": "2001:db8::/32",
            "2001:db8::7/128": "2001:db8::7",
        },
        ("2001:db8::7%eth0", "2001:db8:::7", "2001:db8::7/32", "2001:db8::g", "198.51.100.7",
         "2001:db8::/129", "[2001:db8::7]"),
    ),
    "domain-name": Cases(
        {
            "Malware.Example.ORG.": "malware.example.org",
            "malware[.]example[dot]org": "malware.example.org",
            "bücher.example": "xn--bcher-kva.example",
            "BU\u0308CHER.example": "xn--bcher-kva.example",
            "xn--n3h.example": "xn--n3h.example",
            "_dmarc.example.org": "_dmarc.example.org",
            "a。example": "a.example",
        },
        ("localhost", "198.51.100.7", "2001:db8::7", f"{ONION}.onion", "-a.example.org", "a..example.org",
         "a b.example.org", "example.123", f"{'a' * 64}.example.org", ".".join(["a" * 50] * 6),
         "xn--a-.example", "☃.example", "http://example.org", "someone@example.org", "example.org/",
         "example.org:80"),
    ),
    "url": Cases(
        {
            "HTTP://User:Pw@Malware.Example.ORG:80/A%20b?C=d#E": "http://User:Pw@malware.example.org/A%20b?C=d#E",
            "hxxps://malware[.]example[.]org:8443/a[.]php": "https://malware.example.org:8443/a.php",
            "https://example.org/?a[.]b": "https://example.org/?a[.]b",
            "hxxp[:]//example.org": "http://example.org",
            "http://[2001:DB8::7]:8080/": "http://[2001:db8::7]:8080/",
            "ftp://198.51.100.7:21/x": "ftp://198.51.100.7/x",
            f"http://www.{ONION.upper()}.onion/": f"http://www.{ONION}.onion/",
            "stratum+tcp://pool.example.org:3333": "stratum+tcp://pool.example.org:3333",
            "http://bücher.example:/ü": "http://xn--bcher-kva.example/ü",
        },
        ("malware.example.org/a", "http:///a", "http://localhost/", "http://0x7f.1/", "http://0177.0.0.1/",
         "http://3325256711/", "http://example.org:0/", "http://example.org:65536/",
         "http://example.org:8a/", "nosuch://example.org", "javascript://example.org",
         "tcp://example.org:1", "http://example.org/a b", "http://example.org\\@example.net/",
         "http://exa[[.]]mple.org/", "http://[2001:db8::7", "mailto:a@example.org",
         f"http://{ONION[:-1]}a.onion/", "/a?b"),
    ),
    "autonomous-system": Cases(
        {"AS64496": "AS64496", "as 64511": "AS64511", "65536": "AS65536"},
        ("AS0", "AS4294967295", "AS064496", "AS", "ASN64496", "AS1.10", "AS-SET"),
    ),
    "mac-addr": Cases(
        {
            "00:00:5E:00:53:01": "00:00:5e:00:53:01",
            "00-00-5e-00-53-01": "00:00:5e:00:53:01",
            "0000.5e00.5301": "00:00:5e:00:53:01",
            "00005E005301": "00:00:5e:00:53:01",
        },
        ("00:00:5e:00:53", "00:00:5e:00:53:01:02", "00:00:5e:00:53:0g", "00:00-5e:00:53:01", "0:0:5e:0:53:1"),
    ),
    "network-traffic": Cases(
        {
            "TCP://198.51.100[.]7:443": "tcp://198.51.100.7:443",
            "udp://C2.example.org:53": "udp://c2.example.org:53",
            "sctp://[2001:DB8::7]:9": "sctp://[2001:db8::7]:9",
            "icmp://198.51.100.7": "icmp://198.51.100.7",
        },
        ("198.51.100.7:443", "tcp://198.51.100.7", "icmp://198.51.100.7:1", "tcp://198.51.100.7:70000",
         "tcp://198.51.100.7:443/", "http://198.51.100.7:443", "tcp://198.51.100.07:443",
         "tcp://2001:db8::7:443"),
    ),
    "onion-address": Cases(
        {
            f"{ONION}.onion": f"{ONION}.onion",
            f"{ONION.upper()}[.]onion": f"{ONION}.onion",
            "expyuzz4wqqyqhjn.onion": "expyuzz4wqqyqhjn.onion",
        },
        (ONION, f"b{ONION[1:]}.onion", f"{ONION[:-1]}a.onion", f"{ONION[1:]}.onion", f"www.{ONION}.onion",
         "example.org", f"{ONION[:-1]}1.onion"),
    ),
    "user-agent": Cases(
        {
            "ExampleBot/1.0": "ExampleBot/1.0",
            "  Mozilla/5.0 (X11)  ": "Mozilla/5.0 (X11)",
            "Пример/1": "Пример/1",
        },
        ("", "12345", "Mozilla/5.0\r\nX-Header: 1", "Example\x00Bot", "a" * 8193),
    ),
    "x509-certificate": Cases(
        {SHA256.upper(): SHA256, SHA1: SHA1, ":".join([HEX[:2]] * 20): HEX[:2] * 20},
        (MD5, SHA1 + "0", SHA256[:-1] + "g", SHA256 + SHA1, "-----BEGIN CERTIFICATE-----"),
    ),
    "ssh-fingerprint": Cases(
        {SSH: SSH, SSH + "=": SSH, f"MD5:{SSH_MD5.upper()}": SSH_MD5, SSH_MD5: SSH_MD5},
        (SSH[:-1], SSH[:-1] + "9", SSH.removeprefix("SHA256:"), MD5, "SHA512:" + SSH, SSH_MD5[:-3],
         SSH_MD5[:-1] + "g"),
    ),
    "ja3-fingerprint-md5": Cases(
        {MD5: MD5, MD5.upper(): MD5, f" {MD5}\n": MD5},
        (MD5[:-1], MD5[:-1] + "g", SHA1, JARM, "771,4865,0,23,0"),
    ),
    "jarm-fingerprint": Cases(
        {JARM: JARM, JARM.upper(): JARM, "000" * 9 + "2ad" + MD5: "000" * 9 + "2ad" + MD5},
        ("0" * 62, JARM[:-1], JARM + "0", MD5, "2a02ad0002ad2ad00042d42d00042d" + MD5),
    ),
    "pgp-public-key": Cases(
        {
            "0123 4567 89ab cdef 0123  4567 89ab cdef 0123 4567": SHA1.upper(),
            "0x" + SHA1: SHA1.upper(),
            SHA256: SHA256.upper(),
            PGP: PGP,
            PGP_WITH_HEADERS.replace("\n", "\r\n"): PGP,
        },
        (HEX, MD5, SHA1[:-1] + "g", PGP_PRIVATE, PGP.replace("PUBLIC", "PRIVATE"),
         PGP.replace("mDME", "m?ME"), PGP[:-1], PGP + "\n" + PGP, "0123456789ABCDEF"),
    ),
    "file-sha256": Cases(
        {SHA256: SHA256, SHA256.upper(): SHA256, f"\t{SHA256} ": SHA256},
        (SHA1, SHA256[:-1], SHA256[:-1] + "g", SHA256 + "0"),
    ),
    "file-sha1": Cases(
        {SHA1: SHA1, SHA1.upper(): SHA1, f" {SHA1}": SHA1}, (MD5, SHA1[:-1], SHA1[:-1] + "o", f"a.exe|{SHA1}")
    ),
    "file-md5": Cases(
        {MD5: MD5, MD5.upper(): MD5, f"{MD5} ": MD5},
        (SHA1, MD5[:-1], MD5[:-1] + "l", MD5[:16] + " " + MD5[16:]),
    ),
    "file-ssdeep": Cases(
        {
            "96:U57GjXnLt9co6pZ:Hj3Baz7j": "96:U57GjXnLt9co6pZ:Hj3Baz7j",
            "3::": "3::",
            " 6144:abc/+:d ": "6144:abc/+:d",
        },
        ("97:abc:def", "0:abc:def", "096:abc:def", "96:abc", "96:a*c:def", '96:abc:def,"a.exe"',
         f"96:{'a' * 65}:b", MD5),
    ),
    "file-tlsh": Cases(
        {"T1" + TLSH: "T1" + TLSH, TLSH.lower(): "T1" + TLSH, "t1" + TLSH.lower(): "T1" + TLSH},
        (TLSH[:-1], "T2" + TLSH, "T1T1" + TLSH, TLSH[:-1] + "G", SHA256),
    ),
    "artifact": Cases(
        {"RVhBTVBMRQ==": "RVhBTVBMRQ==", "RVhB\nTVBM\r\nRQ==\n": "RVhBTVBMRQ==", "AAAA": "AAAA"},
        ("RVhBTVBMRQ=", "RVhBTVBMRQ", "RVhBTVBMRR==", "RVhB_VBM", "data:text/plain;base64,AAAA",
         "A" * (256 * 1024 + 4), "===="),
    ),
    "mutex": Cases(
        {"Global\\ExampleMutex": "Global\\ExampleMutex", " {A-1} ": "{A-1}", "Ünï": "Ünï"},
        ("", " \n ", "a\x00b", "a" * 261, "a\u202eb", "a\ud800"),
    ),
    "windows-registry-key": Cases(
        {
            "HKLM\\Software\\Example\\": "HKEY_LOCAL_MACHINE\\Software\\Example",
            "hkey_current_user\\Software\\Example": "HKEY_CURRENT_USER\\Software\\Example",
            "HKU\\S-1-5-18\\a b": "HKEY_USERS\\S-1-5-18\\a b",
            "HKLM\\a \\": "HKEY_LOCAL_MACHINE\\a",
        },
        ("HKLM", "HKLM\\", "Software\\Example", "HKLM\\\\Software", "HKLM/Software",
         "(HKLM|HKCU)\\Software", "HKXX\\a", f"HKLM\\{'a' * 256}"),
    ),
    "software": Cases(
        {
            "cpe:2.3:a:Example:Product:1.0:*:*:*:*:*:*:*": "cpe:2.3:a:example:product:1.0:*:*:*:*:*:*:*",
            "cpe:2.3:o:example:o\\/s:-:sp1:*:*:*:*:*:*": "cpe:2.3:o:example:o\\/s:-:sp1:*:*:*:*:*:*",
            "Example   Loader 2": "Example Loader 2",
        },
        ("cpe:2.3:a:example:product", "cpe:/a:example:product", "cpe:2.3:x:a:b:1:*:*:*:*:*:*:*", "1.0", "",
         "a\x07b"),
    ),
    "process": Cases(
        {
            "C:\\a.exe  --x": "C:\\a.exe  --x",
            " /bin/sh -c 'x' ": "/bin/sh -c 'x'",
            "svchost.exe": "svchost.exe",
        },
        ("", "a\nb", "a\x1bb", "a" * 8193),
    ),
    "yara": Cases(
        {
            YARA: YARA,
            YARA.replace("\n", "\r\n") + "\r\n": YARA,
            "private rule a{condition:true}": "private rule a{condition:true}",
        },
        ("", 'rule a { strings: $a = "x" }', "condition: true", "alert tcp any any -> any any",
         "rule 1 { condition: true }", SHA1, YARA + "\x00"),
    ),
    "vulnerability": Cases(
        {
            "CVE-2014-0160": "CVE-2014-0160",
            "cve-2024-123456": "CVE-2024-123456",
            " CVE-1999-0001 ": "CVE-1999-0001",
        },
        ("CVE-2014-160", "CVE-1998-0001", "CVE-2024-012345", "2014-0160", "GHSA-xxxx-xxxx-xxxx",
         "CVE 2014 0160"),
    ),
    "email-addr": Cases(
        {
            "Some.One+tag@Example.ORG": "Some.One+tag@example.org",
            "someone[at]example[.]org": "someone@example.org",
            "some[.]one(at)example(dot)org": "some.one@example.org",
            "пример@bücher.example": "пример@xn--bcher-kva.example",
        },
        ("someone", "@example.org", "a@b@example.org", ".a@example.org", "a..b@example.org", "a@localhost",
         "a@198.51.100.7", "a b@example.org", '"a b"@example.org', "A <a@example.org>",
         "mailto:a@example.org", f"{'a' * 65}@example.org", "a\u2003b@example.org"),
    ),
    "email-message-id": Cases(
        {
            "<A.1@mail.example.org>": "<A.1@mail.example.org>",
            "A.1@mail.example.org": "<A.1@mail.example.org>",
            "<a@[198.51.100.7]>": "<a@[198.51.100.7]>",
        },
        ("<a.example.org>", "<a@b@c>", "<a@b> <c@d>", "<a b@example.org>", "<a@b", "<>"),
    ),
    "user-account": Cases(
        {
            "Telegram:@Example_Handle": "telegram:Example_Handle",
            "mastodon:@a@example.org": "mastodon:a@example.org",
            "skype: live:.cid.1": "skype:live:.cid.1",
        },
        ("Example_Handle", "telegram:", ":a", "telegram:@@a", "telegram:a b", "tele gram:a",
         "https://t.example/a", "2001:db8::7", "télé:a"),
    ),
    "jabber-id": Cases(
        {
            "Someone@Example.org": "someone@example.org",
            "some.one[at]example[.]org": "some.one@example.org",
            "J\u030c@example.org": "\u01f0@example.org",
        },
        ("someone@example.org/phone", "example.org", "a@b@example.org", "a b@example.org",
         "a<b@example.org", "a\u2603@example.org", "someone@localhost"),
    ),
    "phone-number": Cases(
        {
            "+1 (202) 555-0123": "+12025550123",
            "+61 491 570 156": "+61491570156",
            "+44 (0)20 7946 0018": "+442079460018",
        },
        ("2025550123", "0012025550123", "+1 202 555 012", "+1 202 555 01234", "+0 202 555 0123",
         "+1 800 EXAMPLE", "+1 202 555 0123 ext. 4", "+999 12345678", "tel:+12025550123", "+٤٤2079460018"),
    ),
    "imei": Cases(
        {
            "490154203237518": "490154203237518",
            "49-015420-323751-8": "490154203237518",
            "49 015420 323751 8": "490154203237518",
        },
        ("490154203237519", "49015420323751", "4901542032375180", "49015420323751a", "+12025550123"),
    ),
    "imsi": Cases(
        {
            "001010123456789": "001010123456789",
            "001 01 0123456789": "001010123456789",
            "00101012345678": "00101012345678",
        },
        ("100010123456789", "0010101234567", "0010101234567890", "00101012345678a", "000000000000000"),
    ),
    "iccid": Cases(
        {
            "8999900000000000006": "8999900000000000006",
            "8999 9000 0000 0000 014": "8999900000000000014",
            "89999000000000000106": "89999000000000000106",
        },
        ("8999900000000000007", "899990000000000000", "8899900000000000006", "8999900000000000006F",
         "490154203237518"),
    ),
    "iban": Cases(
        {
            "GB82 WEST 1234 5698 7654 32": "GB82WEST12345698765432",
            "gb82west12345698765432": "GB82WEST12345698765432",
            "DE89-3704-0044-0532-0130-00": "DE89370400440532013000",
        },
        ("GB83WEST12345698765432", "GB82WEST1234569876543", "AA82WEST12345698765432", "WEST12345698765432",
         "GB82WEST1234569876543!"),
    ),
    "bank-account-nr": Cases(
        {
            "US:1234567890": "US:1234567890",
            "uk: 12-34-56 12345678": "GB:12345612345678",
            "EL:a1.b2": "GR:A1B2",
        },
        ("1234567890", "ZZ:1234567890", "XK:1234567890", "US:", "US:ABC", "US:12", f"US:{'1' * 35}",
         "US:12é45"),
    ),
    "bic": Cases(
        {"examgb2l": "EXAMGB2L", "EXAMGB2LXXX": "EXAMGB2L", "EXAM GB 2L 123": "EXAMGB2L123"},
        ("EXAMGB2", "EXAMGB2L12", "EXAMXX2L", "EXAMGB2L1234", "EXAM!B2L", "GB82WEST12345698765432"),
    ),
    "cc-number": Cases(
        {
            "4111 1111 1111 1111": "4111111111111111",
            "6011-0000-0000-0004": "6011000000000004",
            "370000000000002": "370000000000002",
        },
        ("4111111111111112", "411111", "0000000000000000", "4111111111111111a", "41111111111111111111",
         "GB82WEST12345698765432"),
    ),
    "cc-bin": Cases(
        {"411111": "411111", "4111 1111": "41111111", "370000": "370000"},
        ("41111", "4111111", "411111111", "011111", "41111a", "4111111111111111"),
    ),
    "prtn": Cases(
        {
            "+1 900 555 0123": "+19005550123",
            "+41 900 123 456": "+41900123456",
            "+979123456789": "+979123456789",
        },
        ("9005550123", "009005550123", "+1 900 555 012", "+999 12345678", "INVOICE1"),
    ),
    "btc-address": Cases(
        {
            P2WPKH.upper(): P2WPKH,
            P2TR: P2TR,
            "BC1SW50QGDZ25J": "bc1sw50qgdz25j",
            P2PKH: P2PKH,
            P2SH: P2SH,
        },
        (
            P2WPKH[:-1] + "5",
            P2WPKH[0] + P2WPKH[1:].upper(),  # mixed case
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh",  # version 0 with the checksum of bech32m
            "bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4",  # an o in the data
            "bc1pw5dgrnzv",  # a program of one byte
            "bc1gmk9yu",  # no data
            "BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R",  # version 17
            "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx",  # test network
            "mfWyW5fc9NUj75YAnFgoRLrjxgLDn2MMth",  # test network
            P2PKH[:-1] + "C",
            P2PKH[:-1] + "0",
            ETH,
            BCH,
        ),
    ),
    "xmr-address": Cases(
        {XMR: XMR, XMR_SUB: XMR_SUB, f" {XMR_INTEGRATED} ": XMR_INTEGRATED},
        (XMR[:-1] + "T", XMR[:-1], XMR + "1", XMR.swapcase(), "9" + XMR[1:], "4" + "z" * 94, P2PKH),
    ),
    "coin-address": Cases(
        {
            f"eth:{ETH}": f"ETH:{ETH}",
            f"ETH:{ETH.lower()}": f"ETH:{ETH}",
            f"BSC:{EVM.lower()}": f"BSC:{EVM}",
            "LTC:LKDyUEtTR1HXamkiEphisSiBJu6o3ZPE34": "LTC:LKDyUEtTR1HXamkiEphisSiBJu6o3ZPE34",
            "LTC:M7uBSTV2qNDHDe2tHfNMqhFkZucgRMpJQk": "LTC:M7uBSTV2qNDHDe2tHfNMqhFkZucgRMpJQk",
            f"LTC:{LTC.upper()}": f"LTC:{LTC}",
            "DASH: Xags3HEXJ4G4Uuf8va2eSxLCw2KCyEhiJ7": "DASH:Xags3HEXJ4G4Uuf8va2eSxLCw2KCyEhiJ7",
            "DOGE:D597kHXGdkwkryF9oGhz9Bp1ypTpD1u99Z": "DOGE:D597kHXGdkwkryF9oGhz9Bp1ypTpD1u99Z",
            f"BCH:bitcoincash:{BCH}": f"BCH:{BCH}",
            f"BCH:{BCH.upper()}": f"BCH:{BCH}",
            "TRX:T9yED5xMV5ARV98BexN97aLZ1UUq7eKSxm": "TRX:T9yED5xMV5ARV98BexN97aLZ1UUq7eKSxm",
            "XRP:rrrrrrrrrrrrrrrrrrrrrhoLvTp": "XRP:rrrrrrrrrrrrrrrrrrrrrhoLvTp",
            "ZEC:t1HsdDMzmJfq4vc7T17XYjEkLMLvbgM1fCi": "ZEC:t1HsdDMzmJfq4vc7T17XYjEkLMLvbgM1fCi",
            "ZEC:zs1qqqsyqcyq5rqwzqfpg9scrgwpugpzysnzs23v9ccrydpk8qarc0jqgfzyvjz2f389q5j5ctfvp5": (
                "ZEC:zs1qqqsyqcyq5rqwzqfpg9scrgwpugpzysnzs23v9ccrydpk8qarc0jqgfzyvjz2f389q5j5ctfvp5"
            ),
            f"BNB:{BNB}": f"BNB:{BNB}",
            f"SOL:{SOL}": f"SOL:{SOL}",
            f"DOT:{DOT}": f"DOT:{DOT}",
            f"XLM:{XLM}": f"XLM:{XLM}",
            "TON:EQDKbjIcfM6ezt8KjKJJLshZJJSqX7XOA4ff-W72r5gqPrHF": f"TON:{TON_RAW}",
            f"TON:{TON_RAW}": f"TON:{TON_RAW}",
            f"ATOM:{ATOM}": f"ATOM:{ATOM}",
            "UNKNOWN:AbCdEfGhIjKlMnOp": "UNKNOWN:AbCdEfGhIjKlMnOp",
        },
        (
            ETH,
            f"ETH:{ETH[:-1]}D",
            f"ETH:{ETH[2:]}",
            f"BTC:{P2WPKH}",
            f"XMR:{XMR}",
            "LTC:31h38a54tFMrR8kzBnP2241MFD2EUHtGha",
            "DASH:D597kHXGdkwkryF9oGhz9Bp1ypTpD1u99Z",
            "DOGE:D597kHXGdkwkryF9oGhz9Bp1ypTpD1u99z",
            f"BCH:{BCH[:-1]}q",
            f"BCH:bchtest:{BCH}",
            "XRP:rrrrrrrrrrrrrrrrrrrrrhoLvTq",
            f"XLM:{XLM[:-1]}A",
            "TON:EQDKbjIcfM6ezt8KjKJJLshZJJSqX7XOA4ff-W72r5gqPrHG",
            "TON:kQAAAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eH6Yp",  # test network
            "SOL:11111111111111111111111111111111111",
            "KSM:" + DOT,
            f"ATOM:{BNB}",
            "UNKNOWN:short",
            "UNKNOWN:AbCd EfGhIjKlMnOp",
            "1INVALID:AbCdEfGhIjKlMnOp",
        ),
    ),
    "transaction-hash": Cases(
        {
            f"btc:{SHA256.upper()}": f"BTC:{SHA256}",
            f"ETH:0x{SHA256}": f"ETH:{SHA256}",
            f"SOL:{SOL_SIGNATURE}": f"SOL:{SOL_SIGNATURE}",
        },
        (SHA256, f"BTC:{SHA1}", f"BTC:{SHA256[:-1]}g", f"SOL:{SHA256}", f"BITCOINNETWORK:{SHA256}", "BTC:"),
    ),
    "person": Cases(
        {
            "Erika  Mustermann | 1964-08-12": "Erika Mustermann|1964-08-12",
            "Zoe\u0308 O'Example-Müller|2000-02-29": "Zoë O'Example-Müller|2000-02-29",
            "山田 太郎|1990-01-01": "山田 太郎|1990-01-01",
        },
        ("Erika Mustermann", "|1964-08-12", "Erika|1964-13-12", "Erika|2001-02-29", "Erika|12.08.1964",
         "Erika|1849-12-31", "Erika|2101-01-01", "Erika 2|1964-08-12", "A|B|1964-08-12", "Erika|19640812",
         "Erika|1964-W33-3", "Eri\u202eka|1964-08-12"),
    ),
    "passport-number": Cases(
        {"CH:X1234567": "CH:X1234567", "uk: 12-345 6789": "GB:123456789", "DE:c01x00t47": "DE:C01X00T47"},
        ("X1234567", "CH:", "ZZ:X1234567", "CH:X12", "CH:ABCDEFGH", "CH:X12345_7", f"CH:{'1' * 21}",
         "EU:X1234567"),
    ),
    "identity-card-number": Cases(
        {
            "DE:T22000129": "DE:T22000129",
            "EL:ab 123456": "GR:AB123456",
            "FR:1234 5678 9012": "FR:123456789012",
        },
        ("T22000129", "D:T22000129", "DE:T22", "DE:ABCDEFGH", f"DE:{'1' * 25}", "DE:T22#00129"),
    ),
    "company-number": Cases(
        {"CH:CHE-000.000.000": "CH:CHE000000000", "GB: sc000000": "GB:SC000000", "DE:HRB 0000": "DE:HRB0000"},
        ("00000000", "GB:", "QQ:00000000", "GB:ABCDEF", f"GB:{'1' * 25}", "GB:0000:0000"),
    ),
    "vehicle-registration": Cases(
        {
            "CH:zh 000 000": "CH:ZH000000",
            "DE:TÖL-XX 0": "DE:TÖLXX0",
            "UA:\u0430\u04300000\u0456": "UA:\u0410\u04100000\u0406",
            "JP:品川 300 あ 00-00": "JP:品川300あ0000",
        },
        ("ZH000000", "ZZ:ZH000000", "CH:Z", "CH:ZH0000_0", f"CH:{'1' * 17}", "CH:\u0301\u0301"),
    ),
    "photodna-hash": Cases(
        {PHOTODNA: PHOTODNA, PHOTODNA_HEX: PHOTODNA, f"{PHOTODNA[:76]}\n{PHOTODNA[76:]}": PHOTODNA},
        ("AAAA", SHA256, PHOTODNA_HEX[:-2], PHOTODNA_HEX[:-1] + "g", "data:image/png;base64,AAAA"),
    ),
    "pdq-hash": Cases(
        {SHA256: SHA256, SHA256.upper(): SHA256, f" {SHA256}": SHA256},
        (SHA1, SHA256[:-1], SHA256[:-1] + "g", "data:image/png;base64,AAAA"),
    ),
}
# fmt: on
