"""Robotics, computer vision and optics, as NumPy code writes them."""

# ruff: noqa: B008
import numpy as np


def dh_matrix(theta, d, a, alpha):
    ct, st, ca, sa = np.cos(theta), np.sin(theta), np.cos(alpha), np.sin(alpha)
    return np.array(
        [
            [ct, -st * ca, st * sa, a * ct],
            [st, ct * ca, -ct * sa, a * st],
            [0, sa, ca, d],
            [0, 0, 0, 1],
        ]
    )


def forward_kinematics(q):
    table = [(0.4, 0.025, np.pi / 2), (0.0, 0.455, 0.0), (0.0, 0.035, np.pi / 2), (0.42, 0.0, -np.pi / 2)]
    T = np.eye(4)
    for theta, (d, a, alpha) in zip(q, table):
        T = T @ dh_matrix(theta, d, a, alpha)
    return T[:3, 3]


def planar_arm(theta, lengths=np.array([1.0, 0.8, 0.5])):
    angles = np.cumsum(theta)
    return np.array([np.sum(lengths * np.cos(angles)), np.sum(lengths * np.sin(angles))])


def quaternion_rotate(p):
    q, v = p[:4] / np.linalg.norm(p[:4]), p[4:]
    w, u = q[0], q[1:]
    return 2.0 * np.dot(u, v) * u + (w * w - np.dot(u, u)) * v + 2.0 * w * np.cross(u, v)


def quaternion_to_matrix(q):
    q = q / np.sqrt(np.dot(q, q))
    w, x, y, z = q
    return np.array(
        [
            [1 - 2 * (y**2 + z**2), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x**2 + z**2), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x**2 + y**2)],
        ]
    )


def rodrigues(r):
    theta = np.linalg.norm(r)
    if theta < 1e-12:
        return np.eye(3)
    k = r / theta
    K = np.array([[0, -k[2], k[1]], [k[2], 0, -k[0]], [-k[1], k[0], 0]])
    return np.eye(3) + np.sin(theta) * K + (1 - np.cos(theta)) * K @ K


def euler_angles(angles):
    cx, cy, cz = np.cos(angles)
    sx, sy, sz = np.sin(angles)
    Rx = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    Ry = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    Rz = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.dot(Rz, np.dot(Ry, Rx))


def project(params):
    camera, points = params[:9], params[9:].reshape(-1, 3)
    rot_vecs = np.tile(camera[:3], (points.shape[0], 1))
    theta = np.linalg.norm(rot_vecs, axis=1)[:, np.newaxis]
    v = rot_vecs / theta
    dot = np.sum(points * v, axis=1)[:, np.newaxis]
    rotated = np.cos(theta) * points + np.sin(theta) * np.cross(v, points) + dot * (1 - np.cos(theta)) * v
    moved = rotated + camera[3:6]
    proj = -moved[:, :2] / moved[:, 2, np.newaxis]
    n = np.sum(proj**2, axis=1)
    r = 1 + camera[7] * n + camera[8] * n**2
    return (proj * (r * camera[6])[:, np.newaxis]).ravel()


def pose_error(x):
    xi, xj, z = x[:3], x[3:], np.array([1.0, 0.2, 0.1])
    c, s = np.cos(xi[2]), np.sin(xi[2])
    R = np.array([[c, s], [-s, c]])
    dt = R.dot(xj[:2] - xi[:2]) - z[:2]
    angle = xj[2] - xi[2] - z[2]
    return np.append(dt, np.arctan2(np.sin(angle), np.cos(angle)))


def fresnel(p):
    theta, n = p[0], p[1]
    cos_i = np.cos(theta)
    cos_t = np.sqrt(1 - (np.sin(theta) / n) ** 2)
    rs = ((cos_i - n * cos_t) / (cos_i + n * cos_t)) ** 2
    rp = ((cos_t - n * cos_i) / (cos_t + n * cos_i)) ** 2
    return np.array([rs, rp, (rs + rp) / 2])


def thick_lens(p):
    R1, R2, d, n = p
    surface1 = np.array([[1, 0], [-(n - 1) / (R1 * n), 1 / n]])
    gap = np.array([[1, d], [0, 1]])
    surface2 = np.array([[1, 0], [(1 - n) / R2 * -1, n]])
    M = surface2 @ gap @ surface1
    return -1 / M[1, 0]


def thin_film_reflectance(d, wavelength=550.0):
    indices = np.array([1.0, 1.38, 2.3, 1.52])
    M = np.eye(2, dtype=complex)
    for thickness, n in zip(d, indices[1:-1]):
        delta = 2 * np.pi * n * thickness / wavelength
        M = M @ np.array([[np.cos(delta), 1j * np.sin(delta) / n], [1j * n * np.sin(delta), np.cos(delta)]])
    B, C = M @ np.array([1, indices[-1]])
    r = (indices[0] * B - C) / (indices[0] * B + C)
    return np.abs(r) ** 2


def gaussian_beam(p):
    z, w0 = p
    wavelength = 1.064
    z_R = np.pi * w0**2 / wavelength
    q = z + 1j * z_R
    q = (1 * q + 5.0) / (-q / 50.0 + (1 - 5.0 / 50.0))
    inv = 1 / q
    return np.array([1 / np.real(inv), np.sqrt(-wavelength / (np.pi * np.imag(inv)))])


def grating(x, N=5, a=0.3, d=1.1):
    beta, gamma = np.pi * a * np.sin(x), np.pi * d * np.sin(x)
    return np.sinc(beta / np.pi) ** 2 * (np.sin(N * gamma) / np.sin(gamma)) ** 2


ENTRIES = [
    (forward_kinematics, np.array([0.3, -0.7, 1.1, 0.4]), True),
    (planar_arm, np.array([0.5, 0.4, -0.9]), True),
    (quaternion_rotate, np.array([0.9, 0.2, -0.3, 0.5, 1.0, 2.0, -1.0]), False),
    (quaternion_to_matrix, np.array([0.9, 0.2, -0.3, 0.5]), True),
    (rodrigues, np.array([0.3, -0.4, 0.8]), False),
    (euler_angles, np.array([0.3, -0.4, 0.8]), True),
    (
        project,
        np.array([0.1, -0.2, 0.3, 0.5, 0.1, -4.0, 500.0, -1e-2, 1e-3, 0.3, 0.4, -1.0, -0.5, 0.2, -2.0]),
        False,
    ),
    (pose_error, np.array([0.1, 0.2, 0.3, 1.2, 0.5, 0.7]), False),
    (fresnel, np.array([0.6, 1.5]), True),
    (thick_lens, np.array([50.0, -70.0, 5.0, 1.52]), True),
    (thin_film_reflectance, np.array([99.0, 60.0]), False),
    (gaussian_beam, np.array([3.0, 0.5]), False),
    (grating, np.array([0.1, 0.4, -0.7]), True),
]
