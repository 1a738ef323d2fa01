/* lstmc.h -- the contract between the C core and whoever drives it.
 *
 * One `lstmc_kernels` table exists per instruction set and dtype. A function in it does arithmetic on
 * the rows it is given: it allocates nothing, starts no thread, keeps no state and never sees Python.
 * Letters: T time, B batch, I inputs, R recurrent width (H, or P with projection), H hidden units,
 * G gates (4: i, f, g, o), NU units per block, N rows of all live (t, b) pairs.
 *
 * Units are stored in blocks of NU (64 bytes: 16 float32 or 8 float64) on every instruction set, so
 * storage and summation order depend on shapes alone; a narrower machine walks a block in slices.
 * A panel is one block of units with its G gates side by side: [G][NU].
 *
 *   weights   [p][k][G][NU]   k = inputs, then recurrent inputs; zero in lanes beyond H
 *   bias      [p][G][NU]
 *   gates, dG [p][n][G][NU]   panel stride given; row n of a panel is contiguous
 *   c, dc     [p][n][NU]
 *   h         [n][ld]         ld a multiple of NU, lanes beyond H are zero
 *   columns   [q][k][nb*NU]   plain operand of `product`: q counts groups of up to 4 blocks
 *
 * Strides are in elements. Row pointer arrays are indexed by the same row numbers as `tiles`.
 * Every output element is one chain of fused multiply-adds with ascending k that starts from its
 * bias or addend, whatever tile it is computed in. No pointer may alias another unless said so.
 */
#ifndef LSTMC_H
#define LSTMC_H
#include <stddef.h>
#include <stdint.h>

enum { LSTMC_GATES = 4, LSTMC_MAX_ROWS = 8, LSTMC_MAX_ACC = 24, LSTMC_BLOCK_BYTES = 64, LSTMC_KBLOCK = 256,
       LSTMC_STRIP_K = 704, LSTMC_STRIP_K_SHORT = 96,
       LSTMC_BATCH = 16, LSTMC_FAR_BYTES = 1 << 20, LSTMC_NARROW_BYTES = 96 * 1024 };    /* see k_tile.h */

/* rows row .. row+mr-1, 1 <= mr <= table->mr */
typedef struct { ptrdiff_t row, mr; } lstmc_tile;

/* One time step forward for a set of row tiles and panels p0 <= p < p1. */
typedef struct {
    const lstmc_tile *tiles;      /* [n_tiles] */
    ptrdiff_t n_tiles, p0, p1;
    int back;                     /* 1: from panel p1 - 1 down, see k_tile.h; as long as 0 and 1 alternate, caches keep more */
    ptrdiff_t k0, k1;             /* this part of the chain over x | h; k1 == 0: to its end */
    void *sums;                   /* what waits between parts: LSTMC_MAX_ACC blocks for each tile and panel; NULL if there is one */
    ptrdiff_t I, R, H;
    const void *const *x;         /* [rows] rows of I values with stride xs; unused when z is given */
    ptrdiff_t xs, x_ahead;        /* bytes from a row of x to the one that the next step reads, or 0 */
    const void *h;                /* h_{t-1} [rows][ldh] */
    ptrdiff_t ldh;
    const void *w, *bias;         /* packed */
    const void *z;                /* NULL, or [p][rows][G][NU]: bias + W x, precomputed; may equal gates */
    ptrdiff_t z_ps;               /* panel strides: elements from block p to block p+1 */
    const void *c_prev;           /* [p][rows][NU]; may equal c */
    void *c;
    ptrdiff_t c_prev_ps, c_ps;
    void *gates;                  /* NULL (inference), or [p][rows][G][NU]: receives i, f, g, o */
    ptrdiff_t gates_ps;
    void *h_out;                  /* [rows][ld_out], full blocks are written; not h */
    ptrdiff_t ld_out;
    void *const *y;               /* NULL, or [rows] rows of H values, unit stride, written too */
} lstmc_lstm_fwd;

/* The A operand of a product: row j starts at a + j*row_stride; its k values are n_full runs of full_len
 * (run i at i*full_stride) and then n_tail runs of tail_len (run i at n_full*full_stride + i*tail_stride).
 * A dense row is one full run; a row of dG is a run of G*NU per whole panel and G runs of H % NU. */
typedef struct {
    const void *a;
    ptrdiff_t row_stride, k_stride;
    ptrdiff_t n_full, full_len, full_stride;
    ptrdiff_t n_tail, tail_len, tail_stride;
} lstmc_runs;

/* acc = bias | add rows | 0  (+ add2 rows), then acc += A B over all k; the result goes to a sink:
 * stored rows (`product`), or the cell backward of one time step (`lstm_step_bwd`). */
typedef struct {
    const lstmc_tile *tiles;
    ptrdiff_t n_tiles;
    ptrdiff_t N;                  /* output columns */
    ptrdiff_t q0, q1;             /* column groups q0 <= q < q1 only; q1 == 0: all */
    int back;                     /* 1: from the last group down */
    lstmc_runs a;                 /* a.a == NULL: no product, the addends alone */
    ptrdiff_t r0, r1;             /* this part of the runs of a; r1 == 0: to their end */
    void *sums;                   /* what waits between parts: LSTMC_MAX_ACC blocks for each tile and group; NULL if there is one */
    const void *b;                /* packed columns, K rows */
    ptrdiff_t K;
    const void *bias;             /* NULL or [N rounded up to NU] */
    const void *const *add;       /* NULL or [rows] rows of N values, stride adds; may be the rows of out */
    ptrdiff_t adds, add_ahead;    /* bytes from an addend to the one that the next step adds, or 0 */
    const void *add2;             /* NULL or [rows][ld_add2] */
    ptrdiff_t ld_add2;
    void *const *out;             /* `product`: [rows] rows of N values, stride outs */
    ptrdiff_t outs;
    /* `lstm_step_bwd`: the result is dh_t; gates hold i, f, g, o and receive dG, dc is updated in place */
    void *gates;
    const void *c_prev, *c;
    void *dc;
    ptrdiff_t gates_ps, c_prev_ps, c_ps, dc_ps;
} lstmc_product;

/* C (+)= A^T B over n <= LSTMC_KBLOCK rows: one block of a weight gradient.
 * A is packed by pack_outer: tile after tile of [n][mr] for consecutive tiles of features. */
typedef struct {
    const lstmc_tile *m_tiles;    /* row = first feature, mr features */
    ptrdiff_t n_tiles, n, nb;     /* nb <= 4: blocks of columns */
    const void *a;                /* tile i starts at (m_tiles[i].row - m_tiles[0].row) * a_rows */
    ptrdiff_t a_rows;             /* n of the packed buffer */
    const void *b;                /* [n][bs] rows, nb*NU columns */
    ptrdiff_t bs;
    void *c;                      /* feature m at c + m*ldc */
    ptrdiff_t ldc;
    int first;                    /* 1: C = acc, 0: C = C + acc */
} lstmc_outer;

/* Features of A: x (I values, stride xs), then h (R values), then the constant 1. Either part may be absent. */
typedef struct {
    ptrdiff_t n, I, R;
    const void *const *x, *const *h;   /* [n] row pointers */
    ptrdiff_t xs, hs;
} lstmc_features;

/* One optimizer update of n elements; see k_train.h for the equations. */
typedef struct {
    double lr, beta1, beta2, eps, momentum, decay, scale;   /* scale multiplies the gradient (clipping) */
    int nesterov;
} lstmc_update;

typedef struct {
    const char *isa;
    int itemsize, nu, vl, mr, fma;
    /* gates: w element (row, k) at w + row*rs + k */
    void (*pack_gates)(void *dst, ptrdiff_t panel_stride, const void *w, ptrdiff_t rs,
                       ptrdiff_t G, ptrdiff_t H, ptrdiff_t K, ptrdiff_t p0, ptrdiff_t p1);
    void (*pack_bias)(void *dst, const void *b1, const void *b2, ptrdiff_t G, ptrdiff_t H);
    /* B[k][n] = w[k*ks + n*ns]; with G > 0 the k order is (unit block, gate, unit) of G gates of K/G units */
    void (*pack_columns)(void *dst, const void *w, ptrdiff_t ks, ptrdiff_t ns, ptrdiff_t K, ptrdiff_t N, ptrdiff_t G,
                         ptrdiff_t q0, ptrdiff_t q1);
    void (*unpack_gates)(void *w, ptrdiff_t rs, const void *src, const void *more, ptrdiff_t panel_stride,
                         ptrdiff_t G, ptrdiff_t H, ptrdiff_t K, ptrdiff_t p0, ptrdiff_t p1);
    void (*lstm_gates_x)(const lstmc_lstm_fwd *);   /* z (written, cast away const) = bias + W x */
    void (*lstm_step_fwd)(const lstmc_lstm_fwd *);
    void (*lstm_step_bwd)(const lstmc_product *);
    void (*product)(const lstmc_product *);
    void (*pack_outer)(void *dst, const lstmc_features *, const lstmc_tile *tiles, ptrdiff_t n_tiles);
    void (*outer)(const lstmc_outer *);
    void (*vexp)(void *dst, const void *src, ptrdiff_t n);
    void (*vsigmoid)(void *dst, const void *src, ptrdiff_t n);
    void (*vtanh)(void *dst, const void *src, ptrdiff_t n);
    /* train */
    void (*softmax)(void *dst, const void *src, ptrdiff_t rows, ptrdiff_t n);
    void (*softmax_bwd)(void *dst, const void *y, const void *dy, ptrdiff_t rows, ptrdiff_t n);
    double (*sumsq)(const void *src, ptrdiff_t n);   /* one fixed tree for a fixed n */
    void (*adam)(void *w, const void *g, void *m, void *v, ptrdiff_t n, const lstmc_update *);
    void (*rmsprop)(void *w, const void *g, void *m, void *v, ptrdiff_t n, const lstmc_update *);
    void (*sgd)(void *w, const void *g, void *m, ptrdiff_t n, const lstmc_update *);
    /* of `bytes` bytes; one changed word always changes it. For this process only: instruction sets differ, see k_print.h */
    uint64_t (*fingerprint)(const void *data, ptrdiff_t bytes, uint64_t seed);
    /* masks: see random.h */
    void (*derive)(uint32_t key[2], uint64_t seed, uint64_t step, uint32_t layer, uint32_t purpose);
    void (*keep_rows)(void *dst, ptrdiff_t n, const uint32_t key[2], double p, uint32_t time, uint32_t sequence);
    /* benchmarks: the work done, in floating-point operations and in bytes */
    double (*probe_fma)(ptrdiff_t rounds);
    double (*probe_read)(const void *src, ptrdiff_t bytes, ptrdiff_t repeats);
} lstmc_kernels;

/* dispatch.c. Tables by name and item size; NULL if not built or not usable on this CPU and OS. */
const char *const *lstmc_known_isas(void);                      /* NULL-terminated, best first */
int lstmc_isa_usable(const char *isa);
const lstmc_kernels *lstmc_table(const char *isa, int itemsize);
#endif
