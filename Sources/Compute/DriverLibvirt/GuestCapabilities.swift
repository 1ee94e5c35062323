// SPDX-License-Identifier: Apache-2.0
import ComputeContract

/// What libvirt says that guests of this host may have, as far as traits tell of it.
struct GuestCapabilities: Equatable {
    var arch: String
    var diskBuses: Set<String>
    var videoModels: Set<String>
    /// The processor that guests have when they see the host's: what the host really has and QEMU passes on. A
    /// description that libvirt reads again; nil when there is none.
    var hostProcessor: String?

    init(_ document: XMLElement) {
        func values(_ device: String, _ name: String) -> Set<String> {
            let list = document.first("devices")?.first(device)?.elements.first { $0["name"] == name }
            return Set((list?.elements ?? []).map(\.content))
        }
        arch = document.first("arch")?.content ?? ""
        diskBuses = values("disk", "bus")
        videoModels = values("video", "modelType")
        let mode = document.first("cpu")?.elements.first { $0["name"] == "host-model" && $0["supported"] == "yes" }
        guard let mode else { return }
        var processor = XMLElement("cpu")
        processor.attributes = [("mode", "custom"), ("match", "exact")]
        processor.children = mode.children
        hostProcessor = processor.text
    }

    /// A description as libvirt reads it.
    static func processor(model: String) -> String {
        var (processor, name) = (XMLElement("cpu"), XMLElement("model"))
        name.children = [.text(model)]
        processor.attributes = [("mode", "custom"), ("match", "exact")]
        processor.children = [.element(name)]
        return processor.text
    }

    /// The document is the processor with all that its model has.
    static func features(of processor: XMLElement) -> Set<String> {
        Set(
            processor.elements.filter { $0.name == "feature" && $0["policy"] != "disable" }.compactMap { $0["name"] })
    }

    /// `features`: those of the guests' processor.
    func traits(features: Set<String>, hostArch: String, hasThreads: Bool) -> [String] {
        let buses = GuestHardware.DiskBus.allCases.map(\.rawValue).filter(diskBuses.contains)
        let models = GuestHardware.videoModels.filter { videoModels.contains(GuestHardware.videoDevice($0)) }
        var traits = Self.always
        traits += buses.map { "COMPUTE_STORAGE_BUS_\($0.uppercased())" }
        traits += models.map { "COMPUTE_GRAPHICS_MODEL_\($0.uppercased())" }
        traits += GuestHardware.networkModels.map { "COMPUTE_NET_VIF_MODEL_\($0.uppercased())" }
        traits += BaseImageCache.formats.map { "COMPUTE_IMAGE_TYPE_\($0.uppercased())" }
        traits += ["COMPUTE_ARCH_\(arch.uppercased())", "HW_ARCH_\(hostArch.uppercased())"]
        if hasThreads { traits.append("HW_CPU_HYPERTHREADING") }
        traits += features.flatMap { Self.processorTraits[$0] ?? [] }
        // Image knows a format that has no trait, and libvirt architectures that have none.
        return Set(traits).intersection(HostTraits.own).sorted()
    }

    /// What the driver does with every guest.
    private static let always = [
        "COMPUTE_DEVICE_TAGGING", "COMPUTE_NET_ATTACH_INTERFACE", "COMPUTE_NET_ATTACH_INTERFACE_WITH_TAG",
        "COMPUTE_RESCUE_BFV", "COMPUTE_VOLUME_ATTACH_WITH_TAG", "COMPUTE_VOLUME_EXTEND", "COMPUTE_VOLUME_MULTI_ATTACH",
    ]

    /// By libvirt's names (nova: `CPU_TRAITS_MAPPING`; libvirt has `pni` for what the trait calls SSE3).
    static let processorTraits: [String: [String]] = [
        "3dnow": ["HW_CPU_X86_3DNOW"], "abm": ["HW_CPU_X86_ABM"], "aes": ["HW_CPU_X86_AESNI"],
        "amx-bf16": ["HW_CPU_X86_AMXBF16"], "amx-int8": ["HW_CPU_X86_AMXINT8"], "amx-tile": ["HW_CPU_X86_AMXTILE"],
        "avx": ["HW_CPU_X86_AVX"], "avx2": ["HW_CPU_X86_AVX2"], "avx512bw": ["HW_CPU_X86_AVX512BW"],
        "avx512cd": ["HW_CPU_X86_AVX512CD"], "avx512dq": ["HW_CPU_X86_AVX512DQ"],
        "avx512er": ["HW_CPU_X86_AVX512ER"], "avx512f": ["HW_CPU_X86_AVX512F"], "avx512pf": ["HW_CPU_X86_AVX512PF"],
        "avx512vl": ["HW_CPU_X86_AVX512VL"], "avx512vnni": ["HW_CPU_X86_AVX512VNNI"],
        "avx512vbmi": ["HW_CPU_X86_AVX512VBMI"], "avx512ifma": ["HW_CPU_X86_AVX512IFMA"],
        "avx512vbmi2": ["HW_CPU_X86_AVX512VBMI2"], "avx512bitalg": ["HW_CPU_X86_AVX512BITALG"],
        "vaes": ["HW_CPU_X86_AVX512VAES"], "gfni": ["HW_CPU_X86_AVX512GFNI"],
        "vpclmulqdq": ["HW_CPU_X86_AVX512VPCLMULQDQ"], "avx512-vpopcntdq": ["HW_CPU_X86_AVX512VPOPCNTDQ"],
        "bmi1": ["HW_CPU_X86_BMI"], "bmi2": ["HW_CPU_X86_BMI2"], "pclmuldq": ["HW_CPU_X86_CLMUL"],
        "f16c": ["HW_CPU_X86_F16C"], "fma": ["HW_CPU_X86_FMA3"], "fma4": ["HW_CPU_X86_FMA4"],
        "mmx": ["HW_CPU_X86_MMX"], "mpx": ["HW_CPU_X86_MPX"], "sha-ni": ["HW_CPU_X86_SHA"],
        "sse": ["HW_CPU_X86_SSE"], "sse2": ["HW_CPU_X86_SSE2"], "pni": ["HW_CPU_X86_SSE3"],
        "sse4.1": ["HW_CPU_X86_SSE41"], "sse4.2": ["HW_CPU_X86_SSE42"], "sse4a": ["HW_CPU_X86_SSE4A"],
        "ssse3": ["HW_CPU_X86_SSSE3"], "svm": ["HW_CPU_X86_SVM", "HW_CPU_X86_AMD_SVM"], "tbm": ["HW_CPU_X86_TBM"],
        "vmx": ["HW_CPU_X86_VMX", "HW_CPU_X86_INTEL_VMX"], "xop": ["HW_CPU_X86_XOP"],
    ]
}
