/* lstmc.h -- the contract between the C core and whoever drives it.
 *
 * One `lstmc_kernels` table exists per instruction set and dtype. A function in it does arithmetic on the rows it is given:
 * it allocates nothing, starts no thread, keeps no state and never sees Python.
 * Letters: T time, B batch, I inputs, R recurrent width (H, or P with projection), H hidden units, NU units per block,
 * N rows of all live (t, b) pairs.
 *
 * Units are stored in blocks of NU (64 bytes: 16 float32 or 8 float64) on every instruction set, so storage and summation
 * order depend on shapes alone; a narrower machine walks a block in slices. A slot is a number that a unit has at every step:
 * a gate, a candidate, a part of one. What a product computes at once is a group: one block of units with all its slots, or up
 * to four blocks of one slot.
 *
 *   weights   [group][k][blocks of the group][NU]     zero in lanes beyond H
 *   bias, z   blocks of groups at a distance, those of one group side by side
 *   gates, dG [p][n][slot][NU] by panel and row strides; the slots of a row side by side
 *   c, dc     [p][n][NU]
 *   h         [n][ld]         ld a multiple of NU, lanes beyond H are zero
 *
 * Strides are in elements. Row pointer arrays are indexed by the same row numbers as `tiles`. Every output element is one
 * chain of fused multiply-adds with ascending k that starts from its bias or addend, whatever tile it is computed in.
 * No pointer may alias another unless said so.
 */
#ifndef LSTMC_H
#define LSTMC_H
#include <stddef.h>
#include <stdint.h>

enum {
    LSTMC_SLOTS = 4,                    /* most slots of a cell, and most blocks of a group */
    LSTMC_MAX_ROWS = 8,                 /* most rows of a tile on any instruction set */
    LSTMC_MAX_ACC = 24,                 /* vectors of sums that a tile keeps in registers */
    LSTMC_BLOCK_BYTES = 64,             /* a block of units: one cache line */
    LSTMC_KBLOCK = 256,                 /* most (t, b) pairs whose products are summed from zero in a weight gradient */
    LSTMC_STRIP_K = 704,                /* depth of a strip: 4 blocks of it are 176 KiB, which share a second-level cache with rows */
    LSTMC_STRIP_K_NEAR = 192,           /* of chains forward where caches are not far: 48 KiB at most, often 32, which a first-level cache of 48 holds */
    LSTMC_STRIP_K_SHORT = 96,           /* where tiles have few rows: 24 KiB, which stay in the first-level cache */
    LSTMC_BATCH = 16,                   /* tiles whose sums wait while a strip meets them all */
    LSTMC_NEAR_BYTES = 3 << 19,         /* weights of a step up to which that pays: 2 to 5 % of forward at 128 <= H <= 256 */
    LSTMC_FAR_BYTES = 1 << 20,          /* weights of a step from which on strips are fetched ahead: 5-11 % of training at H >= 256 */
    LSTMC_NARROW_BYTES = 96 * 1024,     /* weights of a lone row up to which it takes two slices, not four, at once */
    LSTMC_NORM_SUMS = 14,               /* blocks of sums that layer normalisation has for a block of units */
    LSTMC_MAX_LINES = 8                 /* ranges of lines that are fetched while a chain runs */
};

/* rows row .. row+mr-1, 1 <= mr <= table->mr */
typedef struct { ptrdiff_t row, mr; } lstmc_tile;

/* The rows of a factor. Row j starts at rows[j], or at a + j*row_stride where rows is NULL; its values are n_full runs of
 * full_len (run i at i*full_stride) and then n_tail runs of tail_len (run i at n_full*full_stride + i*tail_stride), k_stride
 * from one value to the next. A dense row is one full run; a row of dG is a run of the slots of every whole panel and a run of
 * H % NU for each slot of the last. */
typedef struct {
    const void *a;
    const void *const *rows;
    ptrdiff_t row_stride, k_stride;
    ptrdiff_t n_full, full_len, full_stride;
    ptrdiff_t n_tail, tail_len, tail_stride;
    ptrdiff_t ahead;              /* bytes from a row to the one that the next step reads, or 0 */
    ptrdiff_t apart;              /* not 0: each block of a group of 3 or 4 has values of its own, which lie side by side */
} lstmc_operand;

/* The sums of a group's blocks slot .. slot+slots-1, extended by rows times weights: the operands one after the other along k. */
typedef struct {
    lstmc_operand a[2];
    ptrdiff_t n_operands;
    const void *b;                /* packed weights */
    ptrdiff_t K;                  /* values of all operands */
    ptrdiff_t slot, slots;        /* slots == 0: all blocks of each group */
} lstmc_product;

/* An elementwise function: see activations.h. */
enum lstmc_function {
    LSTMC_SIGMOID, LSTMC_TANH, LSTMC_RELU, LSTMC_AFFINE, LSTMC_LEAKY_RELU, LSTMC_THRESHOLDED_RELU, LSTMC_SCALED_TANH,
    LSTMC_HARD_SIGMOID, LSTMC_ELU, LSTMC_SOFTSIGN, LSTMC_SOFTPLUS
};
typedef struct { int function; double alpha, beta; } lstmc_activation;

/* What a cell does beyond its plain equations; see cells/. */
typedef struct {
    lstmc_activation of[3];       /* LSTM: of i, f and o; of g; of c in h. GRU: of r and z; of n. RNN: its only one */
    double clip;                  /* bound of every argument of a gate; infinity for none */
    const void *peephole;         /* NULL, or [p][LSTMC_SLOTS][NU]: i, f, g, o */
    int coupled;                  /* f = 1 - i */
    int off[LSTMC_SLOTS];         /* the slot is the constant 1 */
    double zoneout_h, zoneout_c;  /* probability that a unit keeps its old h, its old c */
    double norm_eps;              /* layer normalisation: what is added to a variance ... */
    int norm_state;               /* ... and whether the next c is the normalised one */
    int random;                   /* 0: zoneout at its expectation, 1: drawn with these keys */
    uint32_t key_h[2], key_c[2];
} lstmc_options;

/* One time step of a cell for the rows of a walk. Forward reads the states before and writes those after; backward reads both,
 * turns gates into dG and the carries into those of the step before. */
typedef struct {
    ptrdiff_t H;
    const void *h_prev;           /* [rows][ld_prev] */
    ptrdiff_t ld_prev;
    void *h;                      /* [rows][ld]; whole blocks are written; not h_prev */
    ptrdiff_t ld;
    const void *c_prev;           /* may be c */
    void *c;
    ptrdiff_t c_prev_ps, c_ps;    /* panel strides: elements from block p to block p+1 */
    void *gates;                  /* NULL (inference), or slots of every unit */
    ptrdiff_t gates_ps, gates_rs;
    void *const *y;               /* NULL, or [rows] rows of H values, unit stride, written too */
    void *dc;                     /* carry of c, panel stride dc_ps */
    ptrdiff_t dc_ps;
    void *dh;                     /* NULL, or [rows][ld_dh]: receives what of dh passes to the step before beside the products */
    ptrdiff_t ld_dh;
    const void *mask;             /* NULL, or like dh: see dropout.h, cells/gru_before.h */
    void *products;               /* NULL, or laid out like gates: gradients of slots times the c that their peephole sees */
    const lstmc_options *options; /* forward never NULL: a plain function may be that with options */
    const ptrdiff_t *sequence;    /* [rows] for random numbers: which sequence a row is, and which of its steps this is */
    const ptrdiff_t *time;
} lstmc_step;

/* Layer normalisation in a step of an LSTM: norm.h. */
typedef struct {
    const void *gamma_x, *gamma_h;    /* [p][LSTMC_SLOTS][NU], 0 in lanes beyond H */
    const void *bias;                 /* likewise: all biases and betas of the gates */
    const void *gamma_c, *beta_c;     /* [p][NU] */
    /* forward: sums of W x and U h' of row j, [row][p][LSTMC_SLOTS][NU]; those of U h' are overwritten */
    const void *sums_x;
    void *sums_h;
    ptrdiff_t sums_x_rs, sums_h_rs;
    /* for the way back (NULL: not wanted): both parts normalised, which become gradients of W x and U h', laid out by the strides of
     * gates; four numbers a row */
    void *x, *h, *stats;
    /* backward: dh of row j at dh + j*ld_dh, p blocks that are overwritten and as many of scratch; to a row's sums over its steps are
     * added, LSTMC_SLOTS blocks each, its parts of the gradients of gamma_x, of gamma_h and of bias, and a block each, of gamma_c and
     * of beta_c: [p][row][LSTMC_NORM_SUMS][NU] */
    void *dh;
    ptrdiff_t ld_dh;
    void *sums;
    ptrdiff_t sums_ps;
} lstmc_norm;

typedef struct lstmc_walk lstmc_walk;

/* The end of a chain: the sums of rows row .. row+mr-1 in nq slices from slice q on (slice q is slice q % NS of group q / NS), as
 * whole blocks [row][group][nb][NU] from the group of slice q on. */
typedef struct {
    ptrdiff_t row, mr, q, nq, nb;
    void *acc;
} lstmc_spot;
typedef void (*lstmc_finish)(const lstmc_walk *, const lstmc_spot *);
/* A chain and its end in one, so that sums never leave registers: [rows - 1][slices - 1] of them; `visit` is chain.h's. */
typedef void (*lstmc_fused)(const void *visit, const lstmc_product *, const lstmc_walk *, const lstmc_spot *);

/* All groups q0 <= q < q1 for a set of row tiles: sums begin at bias, z or addends, the products extend them, and the end
 * stores them or makes a cell of them. */
struct lstmc_walk {
    const lstmc_tile *tiles;      /* [n_tiles] */
    ptrdiff_t n_tiles, q0, q1;
    int back;                     /* 1: from the last group down; as long as 0 and 1 alternate, caches keep more */
    ptrdiff_t blocks;             /* of all groups: LSTMC_SLOTS in each, except perhaps the last */
    ptrdiff_t n_products;         /* of `product`, the last member */
    ptrdiff_t k_start;            /* where the whole chain begins: weights of values before it are not read */
    ptrdiff_t k0, k1;             /* this part of the chain, counted over all products */
    int begins, ends;             /* whether it is the first part, the last */
    void *sums;                   /* what waits between parts: LSTMC_MAX_ACC blocks for each tile and group; NULL if there is one */
    /* where sums begin: blocks of row j and group q side by side at start + j*start_rs + q*start_gs ... */
    const void *start;
    ptrdiff_t start_rs, start_gs;
    const void *const *add;       /* ... or, where start is NULL, [rows] rows of N values with stride adds (or NULL: 0) plus ... */
    ptrdiff_t adds, add_ahead, N;
    const void *add2;             /* ... [rows][ld_add2] (or NULL) */
    ptrdiff_t ld_add2;
    /* where they end: a cell, or rows of N values (may be those of add), or blocks laid out as at the start */
    lstmc_finish finish;          /* NULL: no cell */
    const lstmc_fused *fused;     /* in place of `finish`, where a product comes before the end; or NULL */
    lstmc_step step;
    void *const *out;
    ptrdiff_t outs;
    void *blocks_out;
    ptrdiff_t out_rs, out_gs;
    lstmc_product product[1 + LSTMC_SLOTS];     /* last, so that a copy may leave out those that are not used */
};

/* A cell: what it keeps, what feeds what, and its functions, each plain and with options. */
typedef struct {
    const char *name;
    int slots, states, gates;     /* gates: of PyTorch's matrices */
    int x_slot, x_slots;          /* W feeds these slots, from gates x_gate of PyTorch's order */
    int h_slot, h_slots;          /* U feeds these, from gates h_gate */
    int x_gate[LSTMC_SLOTS], h_gate[LSTMC_SLOTS];
    lstmc_finish forward[2], backward[2];
    const lstmc_fused *fused;     /* of forward[0], or NULL */
    /* Two stages a step, each a walk: the first computes this many slots, h' before U, the second the others, the rows that the first
     * left as h before U. 0: one stage. See cells/gru_before.h. */
    int first;
    lstmc_finish then_forward[2], then_backward[2];
} lstmc_cell;

/* C (+)= A^T B over n <= LSTMC_KBLOCK rows: one block of a weight gradient.
 * A is packed by pack_outer: tile after tile of [n][mr] for consecutive tiles of features. */
typedef struct {
    const lstmc_tile *m_tiles;    /* row = first feature, mr features */
    ptrdiff_t n_tiles, n, nb;     /* nb <= 4: blocks of columns */
    const void *a;                /* tile i starts at (m_tiles[i].row - m_tiles[0].row) * a_rows */
    ptrdiff_t a_rows;             /* n of the packed buffer */
    const void *b;                /* [n][bs] rows of nb blocks, b_apart from one to the next (0: side by side) */
    ptrdiff_t bs, b_apart;
    const void *b_next;           /* b of the call after this one, or NULL */
    void *c;                      /* feature m at c + m*ldc, its blocks likewise */
    ptrdiff_t ldc, c_apart;
    int first;                    /* 1: C = acc, 0: C = C + acc */
} lstmc_outer;

/* Features of A: x (I values, stride xs), then h (R values), then the constant 1. Either part may be absent. */
typedef struct {
    ptrdiff_t n, I, R;
    const void *const *x, *const *h;   /* [n] row pointers */
    ptrdiff_t xs, hs;
} lstmc_features;

/* Rows of gates g of a matrix in PyTorch's layout, w element (row, k) at w + row*rs + k, and the same values by panels:
 * [p][k][g][NU], panels panel_stride apart and values of k k_stride apart. */
typedef struct {
    void *w;
    ptrdiff_t rs, H, K;
    const int *gate;              /* [G] */
    ptrdiff_t G;
    void *panels;
    ptrdiff_t panel_stride, k_stride;
} lstmc_matrix;

/* B[k][n] = w[k*ks + n*ns], K by N; with G > 0 the k order is (unit block, gate[i], unit) of K/G units. */
typedef struct {
    const void *w;
    ptrdiff_t ks, ns, K, N;
    const int *gate;              /* [G] */
    ptrdiff_t G;
} lstmc_columns;

/* One optimizer update of n elements: see train.h for the equations and the slots s0, s1, s2. */
typedef struct {
    double lr, beta1, beta2, eps, momentum, decay;
    double gain;                  /* rmsprop, adadelta: what g^2 counts in its mean */
    double of_m, of_g, of_v;      /* nadam */
    double scale, clip;           /* of the gradient: a factor, then the largest absolute value */
    int nesterov;
} lstmc_update;
enum { LSTMC_SGD, LSTMC_RMSPROP, LSTMC_ADAM, LSTMC_NADAM, LSTMC_ADAMAX, LSTMC_ADADELTA, LSTMC_LION, LSTMC_RULES };
typedef void (*lstmc_rule)(void *w, const void *g, void *s0, void *s1, void *s2, ptrdiff_t n, const lstmc_update *);

/* One sequence of a CTC loss, in float64 whatever the table: ctc.h. Rows of logits and of states begin on cache lines. */
enum { LSTMC_CTC_BLOCK = 16, LSTMC_CTC_PAD = 8 };
typedef struct {
    ptrdiff_t n_frames, n_classes, n_labels;
    const int64_t *labels;        /* classes other than `blank` */
    ptrdiff_t blank;
    double *rows;                 /* [n_frames][ld]: logits, overwritten; with `gradient`, by the gradient of the loss, lanes beyond the classes by anything */
    ptrdiff_t ld;                 /* classes in whole LSTMC_CTC_BLOCK */
    int gradient;
    double *work;                 /* overwritten: ld, and lds for each of 3 rows and n_frames + 1 (without `gradient`: 2) more */
    ptrdiff_t lds;                /* 2 n_labels + 2 in whole LSTMC_CTC_PAD, and two LSTMC_CTC_PAD */
} lstmc_ctc;

typedef struct {
    const char *isa;
    int itemsize, nu, vl, mr, fma;
    lstmc_cell cells[4];
    void (*pack_panels)(const lstmc_matrix *, ptrdiff_t p0, ptrdiff_t p1);
    /* the other way, plus `more` laid out like the panels, unless NULL */
    void (*unpack_panels)(const lstmc_matrix *, const void *more, ptrdiff_t p0, ptrdiff_t p1);
    void (*pack_bias)(void *dst, const lstmc_cell *, const void *b_ih, const void *b_hh, ptrdiff_t H);
    void (*pack_columns)(void *dst, const lstmc_columns *, ptrdiff_t q0, ptrdiff_t q1);     /* in groups of four blocks */
    void (*walk)(const lstmc_walk *);
    /* one step of an LSTM with layer normalisation, forward after its products and backward before them, for rows row0 .. row1-1 */
    void (*norm_fwd)(const lstmc_step *, const lstmc_norm *, ptrdiff_t row0, ptrdiff_t row1);
    void (*norm_bwd)(const lstmc_step *, const lstmc_norm *, ptrdiff_t row0, ptrdiff_t row1);
    void (*pack_outer)(void *dst, const lstmc_features *, const lstmc_tile *tiles, ptrdiff_t n_tiles);
    void (*outer)(const lstmc_outer *);
    void (*vexp)(void *dst, const void *src, ptrdiff_t n);
    void (*vsigmoid)(void *dst, const void *src, ptrdiff_t n);
    void (*vtanh)(void *dst, const void *src, ptrdiff_t n);
    void (*vlog)(void *dst, const void *src, ptrdiff_t n);
    /* train */
    void (*softmax)(void *dst, const void *src, ptrdiff_t rows, ptrdiff_t n);
    void (*softmax_bwd)(void *dst, const void *y, const void *dy, ptrdiff_t rows, ptrdiff_t n);
    /* loss.h: of rows of n values, double value[rows] and d like p, each or NULL; targets are y like p, or labels */
    void (*squared_error)(double *value, void *d, const void *p, const void *y, ptrdiff_t rows, ptrdiff_t n);
    void (*crossentropy)(double *value, void *d, const void *p, const void *y, const int64_t *label, ptrdiff_t rows, ptrdiff_t n);
    double (*sumsq)(const void *src, ptrdiff_t n);   /* one fixed tree for a fixed n */
    lstmc_rule rules[LSTMC_RULES];
    double (*ctc)(const lstmc_ctc *);                /* the loss */
    /* random masks, see random.h: the key of a call, and the words, or 0 or 1/(1-p), for n units of one sequence at one time */
    void (*derive)(uint32_t key[2], uint64_t seed, uint64_t step, uint32_t layer, uint32_t purpose);
    void (*words_row)(uint32_t *dst, ptrdiff_t n, const uint32_t key[2], uint32_t time, uint32_t sequence);
    void (*keep_rows)(void *dst, ptrdiff_t n, const uint32_t key[2], double p, uint32_t time, uint32_t sequence);
    /* dropout.h: n values, whole blocks; the end of a walk */
    void (*multiply)(void *dst, const void *a, const void *b, ptrdiff_t n);
    void (*multiply_apart)(void *dst, const void *a, const void *b, ptrdiff_t n, ptrdiff_t slots);
    lstmc_finish add_masked;
    lstmc_finish zone_fwd, zone_bwd;    /* zoneout.h: of the walk of a projection, of that which gives dh of it */
    /* of `bytes` bytes; one changed word always changes it. For this process only: instruction sets differ, see fingerprint.h */
    uint64_t (*fingerprint)(const void *data, ptrdiff_t bytes, uint64_t seed);
    /* benchmarks: the work done, in floating-point operations and in bytes */
    double (*probe_fma)(ptrdiff_t rounds);
    double (*probe_read)(const void *src, ptrdiff_t bytes, ptrdiff_t repeats);
} lstmc_kernels;

/* dispatch.c. Tables by name and item size; NULL if not built or not usable on this CPU and OS. */
const char *const *lstmc_known_isas(void);                      /* NULL-terminated, best first */
int lstmc_isa_usable(const char *isa);
const lstmc_kernels *lstmc_table(const char *isa, int itemsize);
#endif
