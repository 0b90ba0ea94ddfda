"""What the tests start and talk to: the real gateway, a scripted upstream, a bare socket."""
