// SPDX-License-Identifier: Apache-2.0
import BaseKit
import SecurityKit
import Testing

/// Goal: digests, encodings and tokens are those of their standards.
/// Method: published vectors, and round trips through the strict readers.
@Suite("Digests and encodings")
struct DigestTests {
    @Test(
        "digests of a short text",
        arguments: [
            (DigestAlgorithm.md5, "900150983cd24fb0d6963f7d28e17f72"),
            (.sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ])
    func vectors(_ algorithm: DigestAlgorithm, _ expected: String) {
        var digest = Digest(algorithm)
        digest.update(Array("a".utf8))
        var other = digest
        digest.update(Array("bc".utf8))
        other.update(Array("xx".utf8))
        #expect(digest.hex() == expected)
        #expect(other.hex() != expected)
        #expect(Digest(algorithm).finish().count == algorithm.byteCount)
    }

    @Test("RFC 4231 case 2")
    func hmac() {
        let mac = HMAC.sha256(key: Array("Jefe".utf8), Array("what do ya want for nothing?".utf8))
        #expect(Hex.encode(mac) == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    }

    @Test("Base64 goes there and back", arguments: 0..<20)
    func base64(_ count: Int) {
        let bytes = SecureRandom.bytes(count)
        for alphabet in [Base64.Alphabet.standard, .urlSafe] {
            for padded in [true, false] {
                let text = Base64.encode(bytes, alphabet, padded: padded)
                #expect(Base64.decode(text, alphabet, padded: padded) == bytes)
            }
        }
    }

    @Test("Base64 is read strictly", arguments: ["Zg=", "Zg", "Zh==", "Zg==\n", "Z g==", "====", "Zg==Zg==", "Zm9-"])
    func strictness(_ text: String) {
        #expect(Base64.decode(text) == nil)
    }

    @Test("equality looks at every byte")
    func equality() {
        #expect(isEqualInConstantTime([1, 2, 3], [1, 2, 3]))
        #expect(!isEqualInConstantTime([1, 2, 3], [1, 2, 4]))
        #expect(!isEqualInConstantTime([1, 2], [1, 2, 3]))
        #expect(isEqualInConstantTime([], []))
    }
}

@Suite("Fernet")
struct FernetTests {
    private let key = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="
    private let token =
        "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA=="

    @Test("the format's vector")
    func vector() throws {
        let fernet = Fernet(keys: [try #require(FernetKey(key))])
        let opened = try #require(fernet.open(token))
        #expect(opened.payload == Array("hello".utf8))
        #expect(opened.createdAt == Timestamp(seconds: 499_162_800))
    }

    @Test(
        "the format's invalid tokens",
        arguments: [
            // Wrong signature, too short, no Base64, cut cipher text, wrong padding, wrong vector.
            "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykQUFBQUFBQUFBQQ==",
            "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPA==",
            "%%%%%%%%%%%%%AECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfsH-p1YsUD2Q==",
            "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPOm73QeoCk9uGib28Xe5vz6oxq5nmxbx_v7mrfyudzUm",
            "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0ODz4LEpdELGQAad7aNEHbf-JkLPIpuiYRLQ3RtXatOYREu2FWke6CnJNYIbkuKNqOhw==",
            "gAAAAAAdwJ6xBQECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAkLhFLHpGtDBRLRTZeUfWgHSv49TF2AUEZ1TIvcZjK1zQ==",
        ])
    func invalid(_ token: String) throws {
        #expect(Fernet(keys: [try #require(FernetKey(key))]).open(token) == nil)
    }

    @Test("a new key makes tokens and an old one still opens them")
    func rotation() throws {
        let (old, new) = (FernetKey(), FernetKey())
        let sealed = try Fernet(keys: [old]).seal([1, 2, 3], at: Timestamp(seconds: 7), padded: false)
        #expect(Fernet(keys: [new, old]).open(sealed, padded: false)?.payload == [1, 2, 3])
        #expect(Fernet(keys: [new]).open(sealed, padded: false) == nil)
        #expect(FernetKey(new.text) == new)
    }

    @Test("no altered character passes")
    func tampering() throws {
        let fernet = Fernet(keys: [FernetKey()])
        let sealed = Array(try fernet.seal([9, 9, 9], at: Timestamp(seconds: 7), padded: false).utf8)
        for index in sealed.indices {
            var altered = sealed
            altered[index] = altered[index] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            #expect(fernet.open(String(decoding: altered, as: UTF8.self), padded: false) == nil)
        }
    }
}

@Suite("Passwords")
struct PasswordHasherTests {
    private let hasher = PasswordHasher(threads: 1, cost: 4)

    @Test("a hash is bcrypt's and knows its password")
    func roundTrip() async throws {
        let hash = try await hasher.hash(Secret("päss"))
        #expect(hash.hasPrefix("$2b$04$") && hash.utf8.count == 60)
        #expect(try await hasher.verify(Secret("päss"), hash))
        #expect(try await !hasher.verify(Secret("pass"), hash))
        #expect(try await hasher.hash(Secret("päss")) != hash)
    }

    @Test("a hash of another implementation")
    func foreign() async throws {
        let hash = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
        #expect(try await hasher.verify(Secret("U*U"), hash))
        #expect(try await !hasher.verify(Secret("U*V"), hash))
    }

    @Test("72 bytes count, as upstream has it")
    func length() async throws {
        let long = String(repeating: "x", count: 72)
        let hash = try await hasher.hash(Secret(long + "tail"))
        #expect(try await hasher.verify(Secret(long), hash))
        #expect(try await !hasher.verify(Secret(String(long.dropLast())), hash))
    }

    @Test("what is no hash fits no password", arguments: ["", "x", "$2b$04$short", "$6$salt$hash", "*0"])
    func malformed(_ hash: String) async throws {
        #expect(try await !hasher.verify(Secret(""), hash))
        #expect(try await !hasher.verify(Secret("a"), hash))
    }

    @Test("a NUL does not cut a password short")
    func nul() async throws {
        await #expect(throws: CloudError.self) { _ = try await hasher.hash(Secret("a\0b")) }
        let hash = try await hasher.hash(Secret("a"))
        #expect(try await !hasher.verify(Secret("a\0b"), hash))
        try await hasher.verifyNothing(Secret("a"))
    }
}

@Suite("SSH keys")
struct SSHKeyTests {
    private let ed25519 =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIHCOBLgQwCUtBKCBZjQSYhJfeKBSBjPqPCCbKcQMQOo me@host"

    @Test("a new pair is one that its own reader takes")
    func generate() throws {
        let pair = try SSHKeyPair.generateRSA()
        #expect(pair.privateKey.reveal().hasPrefix("-----BEGIN RSA PRIVATE KEY-----\n"))
        #expect(pair.privateKey.reveal().hasSuffix("-----END RSA PRIVATE KEY-----\n"))
        let read = try SSHPublicKey(pair.publicKey.line)
        #expect(read == pair.publicKey)
        #expect(read.comment == "Generated-by-Nova")
        #expect(read.fingerprint.split(separator: ":").count == 16)
    }

    @Test("a key with its comment")
    func parse() throws {
        let key = try SSHPublicKey(ed25519 + "\n")
        #expect(key.algorithm == .ed25519)
        #expect(key.comment == "me@host")
        #expect(key.line == ed25519)
    }

    @Test(
        "what sshd would not take as one key",
        arguments: [
            "", "ssh-rsa", "ssh-rsa AAAA", "ssh-dss AAAAB3NzaC1kc3MAAACBAP", "nonsense AAAAC3NzaC1lZDI1NTE5AAAA",
            "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIIHCOBLgQwCUtBKCBZjQSYhJfeKBSBjPqPCCbKcQMQOo",
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIHCOBLgQwCUtBKCBZjQSYhJfeKBSBjPqPCCbKcQMQOoAAAA",
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIHCOBLgQwCUtBKCBZjQSYhJfeKBSBjPqPCCbKcQMQOo a\nssh-rsa AAAA b",
        ])
    func refuse(_ text: String) {
        #expect(throws: CloudError.self) { _ = try SSHPublicKey(text) }
    }
}
