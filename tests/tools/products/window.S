# SPDX-License-Identifier: GPL-2.0-or-later
#
# A big-endian sPAPR guest that opens a second DMA window on its PCI host
# bridge, as Linux does for a device with 64-bit DMA, and uses it.  It is
# loaded at address 0 with -bios and entered at 0x100 in real mode.
#
# It asks RTAS for a window of 2^28 bytes in pages of 64 KiB, and maps its
# first 64 pages.  It also maps a page of the default window.  Then it reports
# about every 20 ms on the first spapr-vty:
#
#   <count:8 hex> <state> <letters> \n
#
# state is "ok", or "BAD" if the window could not be opened or mapped.  Each
# letter is upper case if the statement is true at that moment:
#
#   Q  ibm,query-pe-dma-window answers: the host bridge can have such windows
#   F  it says that no further window can be opened
#   G  H_GET_TCE returns what the guest has mapped in its window
#   P  H_PUT_TCE maps one more page there, and H_GET_TCE returns it
#   D  H_GET_TCE returns what the guest has mapped in the default window
#
# A real guest reads the tokens of RTAS and the numbers of the host bridge in
# the device tree.  They are the same in every QEMU that has these calls.
#
#   powerpc64-linux-gnu-as -mbig -a64 -o window.o window.S
#   powerpc64-linux-gnu-ld -EB -Ttext 0 --oformat binary -o window.bin window.o

        .machine power7
        .abiversion 2
        .text
        .globl  _start
        .set    H_GET_TCE, 0x1c
        .set    H_PUT_TCE, 0x20
        .set    H_PUT_TERM_CHAR, 0x58
        .set    H_RTAS, 0xf000
        .set    QUERY_PE_DMA_WINDOW, 0x2026
        .set    CREATE_PE_DMA_WINDOW, 0x2027
        .set    BUID_HIGH, 0x08000000   # of the first host bridge
        .set    BUID_LOW, 0x20000000
        .set    VTY, 0x71000000
        .set    DEFAULT_LIOBN, 0x80000000
        .set    PAGE_SHIFT, 16
        .set    WINDOW_SHIFT, 28
        .set    PAGES, 64               # that are mapped
        .set    LAST, (1 << WINDOW_SHIFT) - (1 << PAGE_SHIFT)

        .macro  address register, label
        lis     \register, \label@h
        ori     \register, \register, \label@l
        .endm

        # the letter in upper case if "equal", else in lower case
        .macro  letter which
        li      3, \which
        beq     9f
        addi    3, 3, 0x20
9:      stbu    3, 1(20)
        .endm

_start:
        .org    0x100
        li      31, 0                   # r31: count
        li      28, 0                   # r28: not 0: something failed
        lis     25, DEFAULT_LIOBN@h     # r25: the default window
        rldicl  25, 25, 0, 32
        address 4, create
        address 3, H_RTAS
        sc      1
        or      28, 28, 3
        address 4, created
        lwz     3, 0(4)
        or      28, 28, 3
        lwz     27, 4(4)                # r27: the window's number
        ld      26, 8(4)                # r26: where it begins on the bus
        li      24, 0
1:      mr      4, 27                   # map its first pages
        sldi    5, 24, PAGE_SHIFT
        add     5, 26, 5
        bl      entry
        li      3, H_PUT_TCE
        sc      1
        or      28, 28, 3
        addi    24, 24, 1
        cmpwi   24, PAGES
        blt     1b
        mr      4, 25                   # and one of the default window
        li      5, 0x1000
        li      6, 0x3003
        li      3, H_PUT_TCE
        sc      1
        or      28, 28, 3

loop:
        address 20, letters - 1

        address 4, queried              # in case that it is not answered
        li      3, -1
        stw     3, 0(4)
        stw     3, 4(4)
        address 4, query
        address 3, H_RTAS
        sc      1
        address 4, queried
        lwz     24, 4(4)
        lwz     3, 0(4)
        cmpwi   3, 0
        letter  'Q'
        cmpwi   24, 0
        letter  'F'

        li      24, 0
1:      mr      4, 27
        sldi    5, 24, PAGE_SHIFT
        add     5, 26, 5
        bl      get
        bl      entry
        cmpd    4, 6
        bne     2f
        addi    24, 24, 1
        cmpwi   24, PAGES
        blt     1b
2:      cmpwi   24, PAGES
        letter  'G'

        lis     24, LAST@h
        add     24, 24, 26
        mr      4, 27
        mr      5, 24
        sldi    6, 31, PAGE_SHIFT
        rldicl  6, 6, 0, 64 - WINDOW_SHIFT
        ori     23, 6, 3
        mr      6, 23
        li      3, H_PUT_TCE
        sc      1
        mr      22, 3
        mr      4, 27
        mr      5, 24
        bl      get
        cmpd    4, 23
        bne     3f
        cmpdi   22, 0
3:      letter  'P'

        mr      4, 25
        li      5, 0x1000
        bl      get
        cmpdi   4, 0x3003
        letter  'D'

        bl      report
        mfspr   3, 268                  # wait 20 ms at 512 MHz
        lis     4, 0x9c
        add     4, 3, 4
1:      mfspr   3, 268
        cmpld   3, 4
        blt     1b
        addi    31, 31, 1
        b       loop

# r6: what page r24 is mapped to: memory in the opposite order, read and write
entry:
        li      6, PAGES - 1
        subf    6, 24, 6
        sldi    6, 6, PAGE_SHIFT
        ori     6, 6, 3
        blr

# r4: entry of window r4 at address r5, -1 if there is none
get:
        li      3, H_GET_TCE
        sc      1
        cmpdi   3, 0
        beqlr
        li      4, -1
        blr

# write "<count> <state> <letters>\n" in two pieces
report:
        address 8, line
        li      9, 8
        mtctr   9
        sldi    10, 31, 32
1:      rldicl  11, 10, 4, 60
        sldi    10, 10, 4
        addi    12, 11, '0'
        cmpldi  11, 10
        blt     2f
        addi    12, 11, 'a' - 10
2:      stb     12, 0(8)
        addi    8, 8, 1
        bdnz    1b
        cmpdi   28, 0
        beq     3f
        li      12, 'B'
        stb     12, 1(8)
        li      12, 'A'
        stb     12, 2(8)
        li      12, 'D'
        stb     12, 3(8)
3:      address 8, line
        ld      6, 0(8)
        ld      7, 8(8)
        li      5, 13
        lis     4, VTY@h
        li      3, H_PUT_TERM_CHAR
        sc      1
        address 8, letters
        ld      6, 0(8)
        li      7, 0
        li      5, 6
        lis     4, VTY@h
        li      3, H_PUT_TERM_CHAR
        sc      1
        blr

        .balign 16
line:   .ascii  "00000000 ok     "
letters:.ascii  "-----\n  "

        # RTAS calls: token, numbers of arguments and of results, and these
query:  .long   QUERY_PE_DMA_WINDOW, 3, 5
        .long   0, BUID_HIGH, BUID_LOW
queried:.space  5 * 4                   # status, windows that are free, ...
create: .long   CREATE_PE_DMA_WINDOW, 5, 4
        .long   0, BUID_HIGH, BUID_LOW, PAGE_SHIFT, WINDOW_SHIFT
created:.space  4 * 4                   # status, number, address on the bus
        .balign 4096
