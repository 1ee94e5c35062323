// SPDX-License-Identifier: Apache-2.0
import BaseKit
import IdentityCore
import SecurityKit
import Testing

/// Tokens of a provider, signed once with keys that were then thrown away. They are good for an hour from the time
/// where the clock of `IdentityWorld` starts.
enum OpenIDSamples {
    static let issuer = "https://idp.test"

    static func issuers(_ issuer: String = issuer, audience: String = "haneul") throws -> TokenIssuers {
        TokenIssuers(audience: audience, keys: [issuer: try #require(WebKeySet(keys))])
    }

    static let keys: JSON = [
        "keys": [
            ["kty": "oct", "k": "c2VjcmV0"],
            ["kty": "EC", "crv": "P-256", "kid": "e", "use": "sig", "x": .string(x), "y": .string(y)],
            ["kty": "RSA", "kid": "r", "alg": "RS256", "e": "AQAB", "n": .string(modulus)],
        ]
    ]

    static let x =
        "egIR5Czx6oigE1AWMYqlhOuSD9xqyWhwl_yRHSM83Mw"
    static let y =
        "vLFkgGK6nQHJVF3KeQf5w1GPd9diU4Yvl51EV9v-Wl0"
    static let modulus =
        "qJHCNFyUV2OjUYwOz2DzAcB5JURj7PzsfaIXhgeccXp09BDJW-zm2Mw_A8KiGn3MnUUfFyZB63E7ZVzx2e3dlvdD14MISkyL"
        + "Be7zTJUdyty8J4ZQF5NO2fPjhIpD-Qo27PlH1Mk6UyDFWkc2V_8We4xiylygVc8qnv_xeSQCC3nbtC6m93s1hR4sYGNIV7Ro"
        + "3UfBp1RNl_WuCQUQ2YiVoC3UVLnE3w68t9j7wqCGasxbeu5l9rkHk2uNryOuBW5E_P_kJ5SgBOnoS74wtc1btxzK_YfYAvXI"
        + "arcUhLA0QwdKLcWcTbjLcMtPaoAw6cFADZGy7-_BJJFDOy0xjN3uqQ"

    /// Of user 7, ann, with the groups `staff` and `x;admins`.
    static let staff =
        "eyJhbGciOiJFUzI1NiIsImtpZCI6ImUifQ.eyJpc3MiOiJodHRwczovL2lkcC50ZXN0IiwiYXVkIjoiaGFuZXVsIiwiZXhwI"
        + "joxODAwMDAzNjAwLCJzdWIiOiI3IiwibmFtZSI6ImFubiIsImdyb3VwcyI6WyJzdGFmZiIsIng7YWRtaW5zIl19.RmhMZCC1"
        + "HS7lqReebzUFiuwciPXh1fqo9bhlw9xIQtLfs0PvDrQYVIVaEB2GyOwPi8jDOOapc3trbxlrT6mOoQ"

    /// The same without groups.
    static let none =
        "eyJhbGciOiJFUzI1NiIsImtpZCI6ImUifQ.eyJpc3MiOiJodHRwczovL2lkcC50ZXN0IiwiYXVkIjoiaGFuZXVsIiwiZXhwI"
        + "joxODAwMDAzNjAwLCJzdWIiOiI3IiwibmFtZSI6ImFubiIsImdyb3VwcyI6W119.uZdwcF9lygQWMrqUJj_8XRi0Oc4Qc3TD"
        + "8aRXSujfTHSQNEcgOIFKGAzEqwJC2KQIvbCLrXjTu15s9Irdd4whfQ"

    /// For another service.
    static let other =
        "eyJhbGciOiJFUzI1NiIsImtpZCI6ImUifQ.eyJpc3MiOiJodHRwczovL2lkcC50ZXN0IiwiYXVkIjpbImVsc2UiXSwiZXhwI"
        + "joxODAwMDAzNjAwLCJzdWIiOiI3IiwibmFtZSI6ImFubiJ9.vK4dPy0NCUzjwGiNioDSnpmuvNehfNs89rGSZ0OOP0B8P89r"
        + "12rOEUt1-vF8HXW__GjgcgYHMnpTMyeeM_ii-Q"

    /// Its time has passed.
    static let late =
        "eyJhbGciOiJFUzI1NiIsImtpZCI6ImUifQ.eyJpc3MiOiJodHRwczovL2lkcC50ZXN0IiwiYXVkIjoiaGFuZXVsIiwiZXhwI"
        + "joxNzk5OTk5MDAwLCJzdWIiOiI3IiwibmFtZSI6ImFubiJ9.qOHRuagSAe9A8dwkhcfUPJNYEiBdjv8p2OVCEA91JpaRJORS"
        + "UoLWdUmi8Q3rMMonnyyUtSEla-4slCCpMyZK8w"

    /// Of another issuer.
    static let foreign =
        "eyJhbGciOiJFUzI1NiIsImtpZCI6ImUifQ.eyJpc3MiOiJodHRwczovL2V2aWwudGVzdCIsImF1ZCI6ImhhbmV1bCIsImV4c"
        + "CI6MTgwMDAwMzYwMCwic3ViIjoiNyIsIm5hbWUiOiJhbm4ifQ.wo9GniiEZjl_uqwab6BIiQUOwMgVPsIYxmopgzUvi6SUJd"
        + "rwwKlO7HRHMpJZvpWOR4BUlUoEZHjrr-K01IpBQg"

    /// Its time has not come.
    static let early =
        "eyJhbGciOiJFUzI1NiIsImtpZCI6ImUifQ.eyJpc3MiOiJodHRwczovL2lkcC50ZXN0IiwiYXVkIjoiaGFuZXVsIiwiZXhwI"
        + "joxODAwMDAzNjAwLCJzdWIiOiI3IiwibmFtZSI6ImFubiIsIm5iZiI6MTgwMDAwOTk5OX0.ctArO4C57oIMQQcT_p4bwkD71"
        + "eYrkO6vuqIhvG9WVAWmy4y7_NvX0eNnRBNkJcM7n9H2ck-J7sMcBpEyyjKYlQ"

    /// Without an end.
    static let endless =
        "eyJhbGciOiJFUzI1NiIsImtpZCI6ImUifQ.eyJpc3MiOiJodHRwczovL2lkcC50ZXN0IiwiYXVkIjoiaGFuZXVsIiwic3ViI"
        + "joiNyIsIm5hbWUiOiJhbm4ifQ.oziq5ap1tIiwBEPQxFp_DGwg0s4QSm45IDIFjnt_Dvf7W7dzhNYCVPkOst0aBzK7smltyt"
        + "L80bsKALABCWk1Gw"

    /// By the other key, for two services.
    static let rsa =
        "eyJhbGciOiJSUzI1NiIsImtpZCI6InIifQ.eyJpc3MiOiJodHRwczovL2lkcC50ZXN0IiwiYXVkIjpbImEiLCJoYW5ldWwiX"
        + "SwiZXhwIjoxODAwMDAzNjAwLCJzdWIiOiI3IiwibmFtZSI6ImFubiIsImdyb3VwcyI6WyJzdGFmZiJdfQ.NFetvvkJAzhyHa"
        + "NJMvDKZOAcjIjWKo0mTvka2onkgLTHvuH6Dj8t0TwAJIEi68yUKqt3G09fCDn_wFriLUYdIMPw1XoeON6e_hm9zn7VkOlS62"
        + "IGhCdXkZFhdN6K_OzS8H5AdRfBHh18xfpUQrW7adE8zi3mQP0aqKkMdyTPly6h0Sw5_sqzbXkVNYXT1i4r8AfC6P7X2889Sf"
        + "Nw6AHCWh6TLwFKzrOKnJ5WOLmSdCMnx9Q5oQoQ_Lcw8VJuxdNgNZ6V2efgMOg6l1ir5sJQKnNIcW3Kt5edxepdgUWueXdV5-"
        + "6CkGhEVWiZR_IOECJxghXoPyYXqKpvcUuJN2ziBw"
}
