/* k_pack.h -- between the frameworks' weight matrices and the layouts that the tiles read.
 * Each function handles a range of panels or column groups, so that several threads can share the work. */

/* t[i][j] becomes t[j][i]: every round of zips rotates the bits of row and column number by one */
INLINE void FN(transpose)(V *t)
{
    V u[VL];
    UNROLL
    for (int round = 0; 1 << round < VL; round++) {
        UNROLL
        for (int i = 0; i < VL / 2; i++) {
            u[2 * i] = v_zip_lo(t[i], t[i + VL / 2]);
            u[2 * i + 1] = v_zip_hi(t[i], t[i + VL / 2]);
        }
        UNROLL
        for (int i = 0; i < VL; i++) t[i] = u[i];
    }
}

/* dst[p][k][g][u] = w[g*H + p*NU + u][k], zero for units beyond H */
static void FN(pack_gates)(void *dst, ptrdiff_t panel_stride, const void *w, ptrdiff_t rs,
                           ptrdiff_t G, ptrdiff_t H, ptrdiff_t K, ptrdiff_t p0, ptrdiff_t p1)
{
    for (ptrdiff_t u0 = p0 * FN(NU); u0 < p1 * FN(NU); u0 += VL)
        for (ptrdiff_t g = 0; g < G; g++) {
            const T *rows = (const T *)w + (g * H + u0) * rs;
            T *d = (T *)dst + u0 / FN(NU) * panel_stride + g * FN(NU) + u0 % FN(NU);
            const ptrdiff_t m = u0 + VL <= H ? VL : u0 < H ? H - u0 : 0;
            for (ptrdiff_t k0 = 0; k0 < K; k0 += VL) {
                const ptrdiff_t n = K - k0 < VL ? K - k0 : VL;
                V t[VL];
                UNROLL
                for (int u = 0; u < VL; u++) t[u] = u < m ? FN(load_cols)(rows + u * rs, 1, k0, K) : v_set1(0);
                FN(transpose)(t);
                UNROLL
                for (int k = 0; k < VL; k++)
                    if (k < n) v_store(d + (k0 + k) * G * FN(NU), t[k]);
            }
        }
}

/* w[g*H + p*NU + u][k] = src[p][k][g][u] (+ more, laid out likewise, unless NULL) */
static void FN(unpack_gates)(void *w, ptrdiff_t rs, const void *src, const void *more, ptrdiff_t panel_stride,
                             ptrdiff_t G, ptrdiff_t H, ptrdiff_t K, ptrdiff_t p0, ptrdiff_t p1)
{
    const ptrdiff_t end = p1 * FN(NU) < H ? p1 * FN(NU) : H;
    for (ptrdiff_t k0 = 0; k0 < K; k0 += VL)
        for (ptrdiff_t u0 = p0 * FN(NU); u0 < end; u0 += VL)
            for (ptrdiff_t g = 0; g < G; g++) {
                const ptrdiff_t at = u0 / FN(NU) * panel_stride + (k0 * G + g) * FN(NU) + u0 % FN(NU);
                const ptrdiff_t m = end - u0 < VL ? end - u0 : VL, n = K - k0 < VL ? K - k0 : VL;
                T *rows = (T *)w + (g * H + u0) * rs;
                V t[VL];
                UNROLL
                for (int k = 0; k < VL; k++) {
                    t[k] = k < n ? v_load((const T *)src + at + k * G * FN(NU)) : v_set1(0);
                    if (k < n && more) t[k] = v_add(t[k], v_load((const T *)more + at + k * G * FN(NU)));
                }
                FN(transpose)(t);
                UNROLL
                for (int u = 0; u < VL; u++)
                    if (u < m) FN(store_cols)(rows + u * rs, 1, k0, K, t[u]);
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
