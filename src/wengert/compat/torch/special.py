"""`torch.special`: SciPy's special functions with torch's names."""

from __future__ import annotations

from . import elementwise as f
from . import reductions
from .elementwise import binary, unary
from .missing import missing

__getattr__ = missing("torch.special")

bessel_j0 = unary("bessel_j0", "j0")
bessel_j1 = unary("bessel_j1", "j1")
bessel_y0 = unary("bessel_y0", "y0")
bessel_y1 = unary("bessel_y1", "y1")
digamma = psi = f.digamma
entr = unary("entr", "entr")
erf, erfc, erfinv = f.erf, f.erfc, f.erfinv
erfcx = unary("erfcx", "erfcx")
exp2, expm1, log1p = f.exp2, f.expm1, f.log1p
expit = f.sigmoid
gammaln = f.lgamma
gammainc = binary("gammainc", "gammainc", True)
gammaincc = binary("gammaincc", "gammaincc", True)
i0 = f.i0
i0e = unary("i0e", "i0e")
i1 = unary("i1", "i1")
i1e = unary("i1e", "i1e")
log_ndtr = unary("log_ndtr", "log_ndtr")
log_softmax = reductions.log_softmax
logit = f.logit
logsumexp = reductions.logsumexp
modified_bessel_k0 = unary("modified_bessel_k0", "k0")
modified_bessel_k1 = unary("modified_bessel_k1", "k1")
ndtr = unary("ndtr", "ndtr")
ndtri = unary("ndtri", "ndtri")
polygamma = f.polygamma
round = f.round
sinc = f.sinc
softmax = reductions.softmax
xlog1py = binary("xlog1py", "xlog1py", True)
xlogy = f.xlogy
zeta = binary("zeta", "zeta", True)
