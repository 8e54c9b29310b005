module pack

go 1.25.0

require github.com/buildpacks/pack v0.40.6

replace github.com/BurntSushi/toml => github.com/BurntSushi/toml v1.3.2

tool github.com/buildpacks/pack
