// How many iterations does a driver run? `asked` is [100000, 1, 300, 300, 50000].
// Mesa 22.3.6, llvmpipe (LLVM 15), Vulkan and OpenGL alike: out is [65535, 218, 65101, 50000, 15534].

@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage, read> asked: array<u32>;

@compute @workgroup_size(1)
fn one() {
    var n = 0u;
    for (var i = 0u; i < asked[0]; i++) { n += asked[1]; }
    out[0] = n; // 100000 is right
}

@compute @workgroup_size(1)
fn nested() {
    var outer = 0u;
    var inner = 0u;
    for (var i = 0u; i < asked[2]; i++) {
        outer += asked[1];
        for (var j = 0u; j < asked[3]; j++) { inner += asked[1]; }
    }
    out[1] = outer; // 300 is right
    out[2] = inner; // 90000 is right
}

@compute @workgroup_size(1)
fn twice() {
    var a = 0u;
    var b = 0u;
    for (var i = 0u; i < asked[4]; i++) { a += asked[1]; }
    for (var i = 0u; i < asked[4]; i++) { b += asked[1]; }
    out[3] = a; // 50000 is right, and is what comes
    out[4] = b; // 50000 is right
}
