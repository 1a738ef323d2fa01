/* k_pack.h -- between the frameworks' weight matrices and the layouts that the tiles read.
 * Each function handles a range of panels or column groups, so that several threads can share the work. */

/* dst[p][k][g][u] = w[g*H + p*NU + u][k], zero for units beyond H */
static void FN(pack_gates)(void *dst, ptrdiff_t panel_stride, const void *w, ptrdiff_t rs, ptrdiff_t cs,
                           ptrdiff_t G, ptrdiff_t H, ptrdiff_t K, ptrdiff_t p0, ptrdiff_t p1)
{
    const T *src = w;
    for (ptrdiff_t p = p0; p < p1; p++) {
        T *d = (T *)dst + p * panel_stride;
        const ptrdiff_t u0 = p * FN(NU), nu = H - u0 < FN(NU) ? H - u0 : FN(NU);
        for (ptrdiff_t k = 0; k < K; k++)
            for (ptrdiff_t g = 0; g < G; g++, d += FN(NU)) {
                const T *col = src + (g * H + u0) * rs + k * cs;
                for (ptrdiff_t u = 0; u < nu; u++) d[u] = col[u * rs];
                for (ptrdiff_t u = nu; u < FN(NU); u++) d[u] = 0;
            }
    }
}

/* w[g*H + p*NU + u][k] = src[p][k][g][u] (+ more, laid out likewise, unless NULL), as many k at a time as a cache line
 * of w holds: the lines of all stay in cache */
static void FN(unpack_gates)(void *w, ptrdiff_t rs, ptrdiff_t cs, const void *src, const void *more, ptrdiff_t panel_stride,
                             ptrdiff_t G, ptrdiff_t H, ptrdiff_t K, ptrdiff_t p0, ptrdiff_t p1)
{
    for (ptrdiff_t p = p0; p < p1; p++) {
        const ptrdiff_t u0 = p * FN(NU), nu = H - u0 < FN(NU) ? H - u0 : FN(NU);
        for (ptrdiff_t k0 = 0; k0 < K; k0 += FN(NU)) {
            const ptrdiff_t n = K - k0 < FN(NU) ? K - k0 : FN(NU);
            for (ptrdiff_t g = 0; g < G; g++)
                for (ptrdiff_t u = 0; u < nu; u++) {
                    T *d = (T *)w + (g * H + u0 + u) * rs + k0 * cs;
                    const ptrdiff_t at = p * panel_stride + (k0 * G + g) * FN(NU) + u;
                    const T *s = (const T *)src + at, *m = more ? (const T *)more + at : NULL;
                    T t[FN(NU)];
                    if (n == FN(NU)) {
                        UNROLL
                        for (int k = 0; k < FN(NU); k++) t[k] = m ? s[k * G * FN(NU)] + m[k * G * FN(NU)] : s[k * G * FN(NU)];
                    } else {
                        for (ptrdiff_t k = 0; k < n; k++) t[k] = m ? s[k * G * FN(NU)] + m[k * G * FN(NU)] : s[k * G * FN(NU)];
                    }
                    if (n == FN(NU) && cs == 1) {
                        memcpy(d, t, sizeof t);
                    } else {
                        for (ptrdiff_t k = 0; k < n; k++) d[k * cs] = t[k];
                    }
                }
        }
    }
}

/* dst[p][g][u] = b1 + b2 (either may be NULL) */
static void FN(pack_bias)(void *dst, const void *b1, const void *b2, ptrdiff_t G, ptrdiff_t H)
{
    const T *x = b1, *y = b2;
    T *d = dst;
    for (ptrdiff_t u0 = 0; u0 < H; u0 += FN(NU))
        for (ptrdiff_t g = 0; g < G; g++)
            for (ptrdiff_t u = u0; u < u0 + FN(NU); u++, d++) {
                *d = u < H && x ? x[g * H + u] : (T)0;
                if (u < H && y) *d += y[g * H + u];
            }
}

/* dst[q][k][n] = B[k][q*4*NU + n], zero beyond N; with G > 0 row k of B is (unit block, gate, unit) of G gates */
static void FN(pack_columns)(void *dst, const void *w, ptrdiff_t ks, ptrdiff_t ns, ptrdiff_t K, ptrdiff_t N,
                             ptrdiff_t G, ptrdiff_t q0, ptrdiff_t q1)
{
    const ptrdiff_t wide = 4 * FN(NU), H = G ? K / G : K, blocks = (N + FN(NU) - 1) / FN(NU);
    for (ptrdiff_t q = q0; q < q1; q++) {
        const ptrdiff_t nb = blocks - 4 * q < 4 ? blocks - 4 * q : 4, width = nb * FN(NU);
        const ptrdiff_t n = N - q * wide < width ? N - q * wide : width;
        T *d = (T *)dst + q * wide * K;
        for (ptrdiff_t u0 = 0; u0 < H; u0 += FN(NU)) {
            const ptrdiff_t u1 = u0 + FN(NU) < H ? u0 + FN(NU) : H;
            for (ptrdiff_t g = 0; g < (G ? G : 1); g++)
                for (ptrdiff_t u = u0; u < u1; u++, d += width) {
                    const T *row = (const T *)w + (g * H + u) * ks + q * wide * ns;
                    if (ns == 1) {
                        memcpy(d, row, n * sizeof(T));
                    } else {
                        for (ptrdiff_t i = 0; i < n; i++) d[i] = row[i * ns];
                    }
                    for (ptrdiff_t i = n; i < width; i++) d[i] = 0;
                }
        }
    }
}
