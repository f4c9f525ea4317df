"""The joint tracking model: one Gaussian state for the stage's motion and the geometry of all targets.

What is modelled
----------------
With the start tilt as reference, phi = t - t_0, branch B = +1 (up) or -1 (down), a target i at (X, Y) from the
tracking target, and everything in µm, a target that is kept centred by image shift is seen at tilt j at::

    y:  y_start + n0 (cos t - cos t_0) - z0 (sin t - sin t_0)                 what the geometry says
        + (a + B b)(cos phi - 1) - h sin phi                                  axis off by a (and B b), sample by h
        - g_i sin phi                                                         target higher than thought by g_i
        - alpha X (cos t - cos t_0) + kappa dy + u_y(j) + c_y(j) exp(-s / tau) + v_y T + d_y,i
    x:  x_start - beta dy + gamma Y (sin t - sin t_0) + u_x(j) + c_x(j) exp(-s / tau) + v_x T + d_x,i
    z:  rise by the geometry + (a + B b) sin phi + h (cos phi - 1) + g_i cos phi + f + u_z(j)

where dy is the target's predicted displacement in y, T the minutes since the first image, u(j) the stage's own motion,
common to all targets (zero at the start), c(j) what it still creeps by at the first image of the tilt, s the seconds
since then, and ``g_i = p X + q Y + r (X² + Y²) / R² + rough_i`` the error of the height
that pretilt and rotation give. These rows hold in the frame of the start tilt: a point (n, z) there moves to
``n cos phi - z sin phi`` and rises to ``z cos phi + n sin phi``, so an unknown height at the start changes y by
-sin phi and the height by cos phi, whatever the start tilt is.

An alignment measures the position with the error of the chain of alignments that led to it, e_i per axis and branch,
and with noise: ``found = seen + e_i,B + noise``. With each alignment e takes a random step. Measured defocus gives the
z row directly: an image that is too far from focus by f was f higher than its focus was set for.

How it is solved
----------------
Given the common part (stage, axis, plane) the targets are independent of one another: the posterior has the shape of a
star, and one image changes the centre and a single ray of it (`star`). The centre is static, every tilt has motion
values of its own, so that the prior of the motion may be changed at any time without forgetting what was measured:
its scales are found from the evidence after each tilt (`adaptation`). Measurements that do not fit are rejected, or
found to be a slip of the stage, by consensus (`consensus`).

What past series have shown of u(j) may stand for its prior: a mean, and less uncertainty (`profile`, learnt by
`profile_learning`). A profile under which what is measured is less probable than without is dropped.

x shares no unknown with y and z, so there are two stars: one for x, one for y and z.
"""

from pacetomo.joint.model import JointModel

__all__ = ["JointModel"]
