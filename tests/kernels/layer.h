/* layer.h -- one layer of a cell with what a step of it reads, and its steps in any tiles and ways. */
#ifndef LAYER_H
#define LAYER_H
#include "harness.h"

typedef struct {
    const char *name;               /* of the cell and its options */
    const lstmc_cell *cell;
    const lstmc_options *options;   /* NULL: plain */
    ptrdiff_t B, I, H, P, R, xs;    /* P: projection, 0: none */
    int across, merged;             /* a group is blocks of units; one product feeds what W and U feed */
    ptrdiff_t panels, blocks, groups, ld, ldf, gates_ps, gates_rs, gates_size;
    char *x, *bias, *w, *u, *u_cols, *w_cols, *hr, *hr_cols;
    char *h_prev, *c_prev;          /* states before the step */
    char *h, *c, *hf, *gates;       /* what a forward step leaves; hf: h before the projection */
    char *next, *dy, *dh, *dc, *dx; /* gradients that a backward step reads: of the slots of the step after, of y, h and c; dx before */
    const void *x_rows[MAX_ROWS];
} layer;

/* everything but what a step leaves, which `forward` computes */
void make_layer(layer *l, const char *name, int cell, const ptrdiff_t size[5], lstmc_options *options);
void forward(layer *l, ptrdiff_t mr, int way);      /* forward.c */
void backward(layer *l, ptrdiff_t mr, int way);     /* backward.c, after forward */

/* results of the step under this name */
void end_step(const layer *l, const char *what);
extern const ptrdiff_t sequence[MAX_ROWS], time_of[MAX_ROWS];
#endif
