/* pack.h -- between the frameworks' weight matrices and the layouts that the tiles read.
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

/* panels[p][k][g][u] = w[gate[g]*H + p*NU + u][k], zero for units beyond H */
static void FN(pack_panels)(const lstmc_matrix *m, ptrdiff_t p0, ptrdiff_t p1)
{
    for (ptrdiff_t u0 = p0 * FN(NU); u0 < p1 * FN(NU); u0 += VL)
        for (ptrdiff_t g = 0; g < m->G; g++) {
            const T *rows = (const T *)m->w + (m->gate[g] * m->H + u0) * m->rs;
            T *d = (T *)m->panels + u0 / FN(NU) * m->panel_stride + g * FN(NU) + u0 % FN(NU);
            const ptrdiff_t units = u0 + VL <= m->H ? VL : u0 < m->H ? m->H - u0 : 0;
            for (ptrdiff_t k0 = 0; k0 < m->K; k0 += VL) {
                const ptrdiff_t n = m->K - k0 < VL ? m->K - k0 : VL;
                V t[VL];
                UNROLL
                for (int u = 0; u < VL; u++) t[u] = u < units ? FN(load_cols)(rows + u * m->rs, 1, k0, m->K) : v_set1(0);
                FN(transpose)(t);
                UNROLL
                for (int k = 0; k < VL; k++)
                    if (k < n) v_store(d + (k0 + k) * m->k_stride, t[k]);
            }
        }
}

/* w[gate[g]*H + p*NU + u][k] = panels[p][k][g][u] (+ more, laid out likewise, unless NULL) */
static void FN(unpack_panels)(const lstmc_matrix *m, const void *more, ptrdiff_t p0, ptrdiff_t p1)
{
    const ptrdiff_t end = p1 * FN(NU) < m->H ? p1 * FN(NU) : m->H;
    for (ptrdiff_t p = p0; p < p1; p++)         /* whose rows are few enough for the pages that a processor keeps at hand */
        for (ptrdiff_t k0 = 0; k0 < m->K; k0 += VL)
            for (ptrdiff_t u0 = p * FN(NU); u0 < end && u0 < (p + 1) * FN(NU); u0 += VL)
                for (ptrdiff_t g = 0; g < m->G; g++) {
                    const ptrdiff_t at = p * m->panel_stride + k0 * m->k_stride + g * FN(NU) + u0 % FN(NU);
                    const ptrdiff_t units = end - u0 < VL ? end - u0 : VL, n = m->K - k0 < VL ? m->K - k0 : VL;
                    T *rows = (T *)m->w + (m->gate[g] * m->H + u0) * m->rs;
                    V t[VL];
                    UNROLL
                    for (int k = 0; k < VL; k++) {
                        t[k] = k < n ? v_load((const T *)m->panels + at + k * m->k_stride) : v_set1(0);
                        if (k < n && more) t[k] = v_add(t[k], v_load((const T *)more + at + k * m->k_stride));
                    }
                    FN(transpose)(t);
                    UNROLL
                    for (int u = 0; u < VL; u++)
                        if (u < units) FN(store_cols)(rows + u * m->rs, 1, k0, m->K, t[u]);
                }
}

/* dst[p][slot][u] = the bias of the gate that W feeds there + that of the gate that U feeds (either may be NULL) */
static void FN(pack_bias)(void *dst, const lstmc_cell *cell, const void *b_ih, const void *b_hh, ptrdiff_t H)
{
    const T *x = b_ih, *h = b_hh;
    T *d = dst;
    for (ptrdiff_t u0 = 0; u0 < H; u0 += FN(NU))
        for (int s = 0; s < cell->slots; s++) {
            const int gx = s - cell->x_slot, gh = s - cell->h_slot;
            const T *bx = x && gx >= 0 && gx < cell->x_slots ? x + cell->x_gate[gx] * H : NULL;
            const T *bh = h && gh >= 0 && gh < cell->h_slots ? h + cell->h_gate[gh] * H : NULL;
            for (ptrdiff_t u = u0; u < u0 + FN(NU); u++, d++) {
                *d = u < H && bx ? bx[u] : (T)0;
                if (u < H && bh) *d += bh[u];
            }
        }
}

/* dst[q][k][n] = B[k][q*4*NU + n], zero beyond N */
static void FN(pack_columns)(void *dst, const lstmc_columns *B, ptrdiff_t q0, ptrdiff_t q1)
{
    const ptrdiff_t K = B->K, N = B->N, G = B->G;
    const ptrdiff_t wide = 4 * FN(NU), H = G ? K / G : K, blocks = (N + FN(NU) - 1) / FN(NU);
    for (ptrdiff_t q = q0; q < q1; q++) {
        const ptrdiff_t nb = blocks - 4 * q < 4 ? blocks - 4 * q : 4, width = nb * FN(NU);
        const ptrdiff_t n = N - q * wide < width ? N - q * wide : width;
        T *d = (T *)dst + q * wide * K;
        for (ptrdiff_t u0 = 0; u0 < H; u0 += FN(NU)) {
            const ptrdiff_t u1 = u0 + FN(NU) < H ? u0 + FN(NU) : H;
            for (ptrdiff_t g = 0; g < (G ? G : 1); g++)
                for (ptrdiff_t u = u0; u < u1; u++, d += width) {
                    const T *row = (const T *)B->w + ((G ? B->gate[g] : 0) * H + u) * B->ks + q * wide * B->ns;
                    for (ptrdiff_t i = 0; i < width; i += VL) v_store(d + i, FN(load_cols)(row, B->ns, i, n));
                }
        }
    }
}
