// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LogKit
import ObjectStorageCore

/// A feature of the API: looks at a request, lets those behind it answer, looks at their answer. May ask them more than
/// once, for other things, each with the caller's own rights unless the request says otherwise.
package protocol SwiftLayer: Sendable {
    func answer(_ request: SwiftRequest, _ next: SwiftNext) async throws -> SwiftResponse
}

/// The layers behind one: never throws, because a failure is an answer that layers in front look at.
package struct SwiftNext: Sendable {
    private static let log = Logger("object-storage")
    private let layers: ArraySlice<any SwiftLayer>

    package init(_ layers: [any SwiftLayer]) { self.layers = layers[...] }
    private init(_ layers: ArraySlice<any SwiftLayer>) { self.layers = layers }

    package func callAsFunction(_ request: SwiftRequest) async -> SwiftResponse {
        guard let layer = layers.first else { return SwiftResponse(404) }
        do {
            return try await layer.answer(request, SwiftNext(layers.dropFirst()))
        } catch {
            return Self.response(to: error, request)
        }
    }

    package static func response(to error: any Error, _ request: SwiftRequest) -> SwiftResponse {
        switch error {
        case let fault as SwiftFault: return fault.response
        case let denied as AccessDenied: return SwiftResponse(denied.isKnown ? 403 : 401)
        case let fault as UploadFault: return response(to: fault)
        case let error as CloudError: return response(to: error)
        case is CancellationError: return SwiftResponse(499)
        default:
            log.error("request failed", ["path": request.path, "error": "\(error)", "request": request.transactionID])
            return SwiftResponse(500)
        }
    }

    private static func response(to fault: UploadFault) -> SwiftResponse {
        switch fault {
        case .incomplete: SwiftResponse(499)
        case .tooLarge: .plain(413, "Your request is too large.")
        case .wrongETag: SwiftResponse(422)
        case .alreadyThere: SwiftResponse(412)
        case .outdated: SwiftResponse(409)
        }
    }

    private static func response(to error: CloudError) -> SwiftResponse {
        switch error.code {
        case .badRequest: .text(400, error.message)
        case .unauthorized: SwiftResponse(401)
        case .forbidden: SwiftResponse(403)
        case .notFound: SwiftResponse(404)
        case .conflict: SwiftResponse(409)
        case .preconditionFailed: SwiftResponse(412)
        case .overQuota, .tooLarge: SwiftResponse(413)
        case .unsupportedMediaType: SwiftResponse(415)
        case .notAcceptable: SwiftResponse(406)
        case .unprocessable: SwiftResponse(422)
        case .notImplemented: SwiftResponse(501)
        case .unavailable: unavailable(error)
        case .insufficientStorage: SwiftResponse(507)
        case .bug: bug(error)
        }
    }

    private static func unavailable(_ error: CloudError) -> SwiftResponse {
        log.warning("store unavailable", ["error": error])
        return SwiftResponse(503)
    }

    private static func bug(_ error: CloudError) -> SwiftResponse {
        log.error("request failed", ["error": error])
        return SwiftResponse(500)
    }
}
